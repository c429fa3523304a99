"""The table at the end of a training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from eyebright.report.display import as_text
from eyebright.runs.summary import run_display
from eyebright.text.language import speaking

FIGURE = {"value": 0.934, "low": 0.912, "high": 0.954}
METRICS = {
    "split": "test",
    "images": {"train": 1500, "test": 500},
    "seconds": {"total": 12.34},
    "skipped": [{"path": "a.jpg", "reason": "Broken."}],
    **dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece"), FIGURE),
}
RUN = SimpleNamespace(metrics=METRICS, model=Path("runs/x/model.onnx"), report=Path("runs/x/report.html"))


def test_it_says_what_was_measured_on_what():
    text = as_text(run_display(RUN))
    assert "Measured on 500 images of the test split:" in text
    assert "93.4 %  91.2 to 95.4 %" in text
    assert "0.934  0.912 to 0.954" in text  # log loss is no percentage
    assert "12.3 s in total" in text
    assert "1 file; metrics.json gives" in text
    assert str(RUN.report) in text


def test_in_chinese():
    with speaking("zh"):
        assert "500 张图像" in as_text(run_display(RUN))

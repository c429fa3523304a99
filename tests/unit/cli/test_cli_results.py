"""The table at the end of a training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from eyebright.runs.summary import print_run

FIGURE = {"value": 0.934, "low": 0.912, "high": 0.954}
METRICS = {
    "split": "test",
    "images": {"train": 1500, "test": 500},
    "seconds": {"total": 12.34},
    "skipped": [{"path": "a.jpg", "reason": "Broken."}],
    **dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece"), FIGURE),
}
RUN = SimpleNamespace(metrics=METRICS, model=Path("runs/x/model.onnx"), report=Path("runs/x/report.html"))


def test_it_says_what_was_measured_on_what(capsys: pytest.CaptureFixture[str]):
    print_run(RUN)
    text = capsys.readouterr().out
    assert "Measured on 500 images of the test part:" in text
    assert "93.4 %  91.2 to 95.4 %" in text
    assert "0.934  0.912 to 0.954" in text  # log loss is no percentage
    assert "12.3 s in all" in text
    assert "1; metrics.json names" in text
    assert str(RUN.report) in text


def test_in_chinese(capsys: pytest.CaptureFixture[str]):
    print_run(RUN, "zh")
    assert "在测试部分的 500 张图像上测得：" in capsys.readouterr().out

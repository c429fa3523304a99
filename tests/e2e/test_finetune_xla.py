"""Fine-tuning on `--device xla` learns what the processor does.

PyTorch/XLA has releases for its own version of PyTorch only, so it stands in an environment of its own: see
"XLA" in docs/own_code.md for how that is made. ``EYEBRIGHT_XLA_PYTHON`` names its interpreter. XLA's own
device for processors (``PJRT_DEVICE=CPU``) runs the code that a TPU would; no TPU is needed.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from finetuning import SMALL, few, history

PYTHON = os.environ.get("EYEBRIGHT_XLA_PYTHON", "")
FIGURES = ("train_loss", "val_loss")


def finetuned(device: str, data: Path, out: Path) -> list[dict[str, str]]:
    """Fine-tune everything for two epochs in the environment of XLA, and return the rows of its history."""
    words = ["train", data, "--finetune", "full", "--epochs", "2", *SMALL, "--device", device, "--out", out]
    command = [PYTHON, "-m", "eyebright", *map(str, words)]
    environment = {**os.environ, "PJRT_DEVICE": "CPU", "EYEBRIGHT_CACHE": str(out.parent / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return history(out)


@pytest.mark.slow
@pytest.mark.xdist_group("alone")
@pytest.mark.skipif(not PYTHON, reason="EYEBRIGHT_XLA_PYTHON names no environment with torch_xla")
def test_xla_learns_what_the_processor_does(textile: Path, tmp_path: Path) -> None:
    data = few(textile, tmp_path / "data")
    expected, found = (finetuned(device, data, tmp_path / device) for device in ("cpu", "xla"))
    assert [row["epoch"] for row in found] == [row["epoch"] for row in expected] == ["0", "1", "2"]
    for one, other in zip(expected, found, strict=True):
        for name in FIGURES:
            assert float(other[name] or 0) == pytest.approx(float(one[name] or 0), rel=1e-3, abs=1e-4)

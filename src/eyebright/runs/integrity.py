"""Whether a run's model is still the file that the run wrote, and is not overwritten."""

from __future__ import annotations

from pathlib import Path

from eyebright.errors import ConfigError, ModelError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.runs.metrics import METRICS, read_metrics
from eyebright.sealed.model import model_file


def require_unmodified(model: Path) -> None:
    """Refuse a run's `model.onnx` whose hash is not the one in the `metrics.json` beside it.

    A model without such a file beside it cannot be checked, and passes.

    Raises:
        ModelError: the model or `metrics.json` was modified.
    """
    if recorded_sha256(model) is not None:
        require_recorded_hash(model, sha256(model))


def require_recorded_hash(model: Path, found: str) -> None:
    """Refuse the content of a run's `model.onnx` by its SHA-256, as :func:`require_unmodified` does.

    Args:
        model: the file.
        found: the hash of its content.

    Raises:
        ModelError: the model or `metrics.json` was modified.
    """
    expected = recorded_sha256(model)
    if expected not in (None, found):
        raise ModelError(
            "The model of a run must be the file that the run wrote, with SHA-256 {expected}. {path} "
            "has {found}, so it was modified afterwards. Restore it from a copy of the run, or train "
            "again.",
            expected=expected,
            path=model,
            found=found,
        )


def require_other_directory(out: Path | None, model: Path) -> None:
    """Refuse to write a run over the model that it is made from or compared with.

    Args:
        out: the directory to write; None where it will be a new one.
        model: a sealed model, or its run.

    Raises:
        ConfigError: the model lies in that directory.
    """
    file = model_file(model)
    if out is not None and out.resolve() in (file.parent.resolve(), file.resolve().parent):
        raise ConfigError(
            "The input model must not be overwritten. --out names its own directory, so {path} would "
            "be replaced. Choose another directory with --out.",
            path=file,
        )


def recorded_sha256(model: Path) -> str | None:
    """Return the hash that the run of a `model.onnx` recorded; None where there is none.

    Raises:
        ModelError: the `metrics.json` beside the model is not what a run writes.
    """
    beside = model.with_name(METRICS)
    if model.name != "model.onnx" or not beside.exists():
        return None
    return read_metrics(beside).model_sha256

"""What a run that replaces an earlier one in its directory takes away: it would belong to no run any more."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from eyebright.errors import ModelError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.exporting.certificate.integrity import CERTIFICATE, EXPORTS, read_certificate
from eyebright.runs.metrics import METRICS
from eyebright.runtime.atomic import remove_left, storage_errors
from eyebright.runtime.context import say

_FINETUNING = (
    *("plan.json", "history.csv", "backbone.safetensors"),
    *("checkpoints/step-*.safetensors", "checkpoints/best.safetensors"),
)
# Files that only some trainings write, also those that were interrupted.
_OF_TRAININGS = (
    *_FINETUNING,
    *(f"{depth}/{name}" for depth in ("last", "full") for name in _FINETUNING),
    *(f"pretrained/{name}" for name in ("backbone.onnx", "backbone.safetensors", "card.json", "report.html")),
    *(f"pretrained/{name}" for name in ("config.toml", ".eyebright", *_FINETUNING)),
    "tensorboard/events.out.tfevents.*",
    *("mlflow-run", "wandb-run"),
)
# Files of other verbs that write runs, some of them before their training begins.
_OF_VERBS = (
    *("search.sqlite", "search.toml", "search.html", "trials.csv"),
    *("pareto.json", "pareto.csv", "pareto.html", "candidates/*.onnx"),
    "pruned.onnx",
)


def remove_earlier(directory: Path) -> None:
    """Remove what an earlier run left that is not replaced by name, `metrics.json` first.

    Files that every run writes stay until they are replaced, and exports until the new model is there. Files
    that are not Eyebright's own are never touched.

    Args:
        directory: of the run that is about to be written.

    Raises:
        StorageError: the disk must not be written.
    """
    finished = (directory / METRICS).exists()
    folders: set[Path] = set()
    with storage_errors(directory):
        (directory / METRICS).unlink(missing_ok=True)
        for pattern in (*_OF_TRAININGS, *(_OF_VERBS if finished else ())):
            for path in directory.glob(pattern):
                path.unlink()
                folders |= set(path.relative_to(directory).parents)
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True)[:-1]:
        remove_left(directory / folder)
        with suppress(OSError):  # something else is in it
            (directory / folder).rmdir()


def remove_other_exports(model: Path) -> None:
    """Remove exports beside a model that were made from the one it replaces; what else is there stays."""
    folder = model.parent / EXPORTS
    found = [path for path in sorted(folder.glob("*")) if (path / CERTIFICATE).is_file()]
    if not found:
        return
    digest = sha256(model)
    gone = [path for path in found if _made_from_another(path, digest)]
    for path in gone:
        shutil.rmtree(path)
    if gone:
        say(
            "Removed {count:export|exports} of the model that was replaced: {names}. To export the new "
            "model, run `eyebright export`.",
            count=len(gone),
            names=", ".join(path.name for path in gone),
        )


def _made_from_another(export: Path, digest: str) -> bool:
    try:
        return read_certificate(export).parent_sha256 not in (None, digest)
    except ModelError:  # not ours to remove; `inspect` says what is wrong with it
        return False

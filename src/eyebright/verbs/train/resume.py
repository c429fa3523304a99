"""What a training leaves in its directory so that it can be resumed, and the checks when it is."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.manifest_file import read_manifest, write_manifest
from eyebright.errors import ConfigError, DataError, NotFoundError
from eyebright.runs.overwrite import remove_earlier
from eyebright.runs.run import OPTIONS, write_options
from eyebright.verbs.train.options import TrainConfig

_IMAGES = "manifest.parquet"
_PARTS = ("history.csv", "plan.json")  # of a fine-tuning, beside its checkpoints
_NAMED = 3


def with_earlier(config: TrainConfig) -> TrainConfig:
    """Return the options of the run to resume, changed by those that are given now.

    Raises:
        NotFoundError: there is no such run.
        ConfigError: it would be written to another directory, or is not a training run.
    """
    if config.resume is None:
        return config
    if config.out is not None and config.out.resolve() != config.resume.resolve():
        raise ConfigError(
            "A resumed run must stay in its directory. Got --resume {path} and --out {other}. Remove "
            "--out, or copy the directory and resume the copy.",
            path=config.resume,
            other=config.out,
        )
    file = config.resume / OPTIONS
    if not file.is_file():
        raise NotFoundError(
            "The run to resume must contain config.toml. {path} does not. Use the directory of an "
            "interrupted training run.",
            path=config.resume,
        )
    given = {name: getattr(config, name) for name in config.model_fields_set}
    try:
        return TrainConfig.build(file, **{**given, "out": config.resume})
    except ConfigError as error:
        raise ConfigError(
            "The run to resume must be a training run. {path} does not contain valid training "
            "options: {problem}",
            path=file,
            problem=error.text(),
        ) from error


def refuse_other_images(config: TrainConfig, manifest: Manifest, directory: Path) -> None:
    """Refuse to resume a run with other images.

    Raises:
        DataError: it started with others; nothing was changed.
    """
    if config.resume is not None and (directory / _IMAGES).is_file():
        _compare(read_manifest(directory / _IMAGES), manifest)


def begin(config: TrainConfig, manifest: Manifest, directory: Path) -> None:
    """Write what a resumed run needs; a new fine-tuning leaves nothing of an older one behind.

    A resumed one changes nothing yet: its options are written once its checkpoint is loaded.
    """
    if config.resume is not None:
        return
    remove_earlier(directory)
    write_manifest(manifest, directory / _IMAGES)
    write_options(config, directory)


def adopt(part: Path, directory: Path) -> None:
    """Copy a training's plan, history and checkpoints out of its folder into the run's."""
    shutil.copytree(part / "checkpoints", directory / "checkpoints", dirs_exist_ok=True)
    for name in _PARTS:
        shutil.copyfile(part / name, directory / name)


def _compare(before: Manifest, now: Manifest) -> None:
    """Compare images; those that could not be read at the end of an earlier training do not count."""
    unreadable = {entry.path for entry in before.skipped}
    now_readable = [s for s in now.samples if s.path not in unreadable]
    if _content(before.samples) == _content(now_readable):
        return
    old, new = ({s.path: (s.sha, s.split, s.label) for s in part} for part in (before.samples, now_readable))
    changed = {path for path in old.keys() & new.keys() if old[path] != new[path]}
    added, gone = new.keys() - old.keys(), old.keys() - new.keys()
    raise DataError(
        "A run must be resumed with the images it started with. Since then, {added:image was|images "
        "were} added, {gone:image was|images were} removed, and {changed:image|images} changed in "
        "content, label or split, such as {names}. Restore them, or start a new run.",
        added=len(added),
        gone=len(gone),
        changed=len(changed),
        names=", ".join(sorted(added | gone | changed)[:_NAMED]),
    )


def _content(samples: Iterable[Sample]) -> Counter[tuple[str, str, str]]:
    """Return images, splits and labels, wherever the files lie."""
    return Counter((s.sha, s.split, s.label) for s in samples)

"""`pull`: get a run that was shared, every file checked before it gets its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from eyebright.errors import ConfigError, ModelError, NotFoundError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.runs.integrity import require_unmodified
from eyebright.runs.metrics import METRICS
from eyebright.runs.overwrite import remove_earlier, remove_other_exports
from eyebright.runs.run import OPTIONS, Run
from eyebright.runtime.atomic import atomic_path, remove_left, write_bytes
from eyebright.runtime.context import progress_task, say, stage
from eyebright.sharing.address import place_at
from eyebright.sharing.place import Place
from eyebright.sharing.sums import CARD, SUMS, read_sums
from eyebright.verbs.pull.options import PullConfig

_MODEL = "model.onnx"
# Of an earlier run in the directory: they would speak of another model.
_OF_RUNS = ("predictions.csv", "manifest.parquet", "model_card.md", "report.html", "fixes.csv", OPTIONS)


@stage
def pull(config: PullConfig) -> Run:
    """Get a run that was shared; predict, evaluate and serve take it as any other.

    Args:
        config: where it is, and where it goes.

    Raises:
        NotFoundError: no run is there.
        ModelError: a file is not the one that was pushed.
        ConfigError: the directory has something else.
    """
    place, directory = place_at(config.source), config.directory
    there = place.names()
    if not {METRICS, SUMS} <= there:
        raise NotFoundError(
            "The source must be a run that `eyebright push` finished. {place} has no {name}. Check the "
            "address, or push the run again.",
            place=place.address,
            name=SUMS if METRICS in there else METRICS,
        )
    sums = read_sums(place.read(SUMS), place.address)
    if missing := sorted((sums.keys() - there) | ({_MODEL, METRICS} - sums.keys())):
        raise _other_than_pushed(place, missing[0])
    kept = _kept(directory, sums, overwrite=config.overwrite)
    names = sorted(sums.keys() - kept, key=lambda name: (name == METRICS, name))
    if names:
        with progress_task("Pulling from {place}", total=len(names), place=place.address) as task:
            for name in names:
                if name == METRICS:
                    write_bytes(directory / SUMS, place.read(SUMS))
                _fetch(place, name, sums[name], directory / name)
                task.advance()
    run = Run.open(directory)
    require_unmodified(run.model)
    remove_other_exports(run.model)
    return run


def _kept(directory: Path, sums: Mapping[str, str], *, overwrite: bool) -> set[str]:
    """Return the files that a pull before this one left, and take away those of another run.

    Raises:
        ConfigError: something else is there, and may not be replaced.
    """
    if directory.exists() and not directory.is_dir():
        raise ConfigError(
            "A run must be pulled into a directory. {path} is a file. Choose another name.", path=directory
        )
    remove_left(directory)
    same = {
        name
        for name, digest in sums.items()
        if (directory / name).is_file() and sha256(directory / name) == digest
    }
    edited = {CARD} if METRICS in same else set()
    others = sorted(
        name for name in {*sums, METRICS, *_OF_RUNS} - same - edited if (directory / name).exists()
    )
    if not others:
        return same - {METRICS} if same != sums.keys() else same
    if not overwrite:
        raise ConfigError(
            "A run must be pulled into a directory without other files of a run. {path} has {name}. Choose "
            "another directory, or replace them with --overwrite.",
            path=directory,
            name=others[0],
        )
    remove_earlier(directory)
    for name in _OF_RUNS:
        if name not in sums:
            (directory / name).unlink(missing_ok=True)
    return same - {METRICS}


def _fetch(place: Place, name: str, expected: str, target: Path) -> None:
    """Write one file, if it is the one that was pushed."""
    with atomic_path(target) as temporary:
        place.fetch(name, temporary)
        if sha256(temporary) != expected:
            if name != CARD:
                raise _other_than_pushed(place, name)
            # People write into cards on the page of a hub, and nothing is decided by them.
            say(
                "The card was edited after the run was pushed: {name} at {place}.",
                name=name,
                place=place.address,
            )


def _other_than_pushed(place: Place, name: str) -> ModelError:
    return ModelError(
        "Every file of a shared run must be the one that was pushed. {name} at {place} is another or "
        "missing: it was changed, damaged, or is being pushed right now. Try again, or push the run again.",
        name=name,
        place=place.address,
    )

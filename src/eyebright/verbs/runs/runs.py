"""`runs`: the finished runs below a folder, as a table, while others may write into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from eyebright.data.storage.places import is_folder, read_bytes, scandir, status
from eyebright.errors import NotFoundError
from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.metrics import METRICS, StoredMetrics
from eyebright.runtime.context import progress_task, stage
from eyebright.runtime.stored import parse_json, reason_of
from eyebright.text.language import translate
from eyebright.types import Interval, JsonObject, Skipped
from eyebright.verbs.runs.conditions import Value, parse_condition, require_known
from eyebright.verbs.runs.options import RunsConfig

_METRICS = TypeAdapter(StoredMetrics)
_DEEPEST = 8
_HASH_SHOWN = 10


@dataclass(frozen=True)
class ListedRun:
    """One run of a list.

    Attributes:
        name: its directory below the folder.
        date: when its `metrics.json` was written, as YYYY-MM-DD HH:MM; empty where the place does not tell.
        data: hash of its images, labels and splits.
        task: `single-label`, `multi-label` or `anomaly`.
        split: that was evaluated.
        images: evaluated.
        classes: number of them.
        accuracy: with its 95 % interval; None where that is not what was measured.
        size: of `model.onnx`, in bytes; None of an evaluation.
        backbone: of the model.
        directory: where it is.
        values: all of that, and all figures of `metrics.json`, by name.
    """

    name: str
    date: str
    data: str
    task: str
    split: str
    images: int | None
    classes: int
    accuracy: Interval | None
    size: int | None
    backbone: str
    directory: Path
    values: Mapping[str, Value] = field(repr=False)

    def to_json(self) -> JsonObject:
        """Return the run's columns."""
        accuracy = None if self.accuracy is None else asdict(self.accuracy)
        return {
            **{name: getattr(self, name) for name in COLUMNS},
            "accuracy": accuracy,
            "directory": str(self.directory),
        }


#: The columns of a list, which conditions may name.
COLUMNS = ("name", "date", "data", "task", "split", "images", "classes", "accuracy", "size", "backbone")


@dataclass(frozen=True, repr=False)
class RunList(Displayed):
    """The runs below a folder; printing it shows a table.

    Attributes:
        runs: those that meet the conditions, sorted.
        skipped: files called `metrics.json` that no run wrote.
        others: runs that do not meet the conditions.
    """

    runs: Sequence[ListedRun]
    skipped: Sequence[Skipped]
    others: int

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the table, and what is not in it."""
        if self.runs:
            head = (
                *(translate("Name"), translate("Date"), translate("Data"), translate("Task")),
                *(translate("Images"), translate("Accuracy"), translate("95 % interval")),
                *("MB", translate("Backbone")),
            )
            yield ResultTable([head, *map(_row, self.runs)], right=(4, 5, 7))
        else:
            yield translate("No run is listed.")
        if self.others:
            yield translate("{count:run does|runs do} not meet the conditions.", count=self.others)
        for skipped in self.skipped:
            yield f"{skipped.path}: {translate(skipped.reason, **skipped.reason_values)}"


@stage
def runs(config: RunsConfig) -> RunList:
    """List the finished runs below a folder.

    Runs appear whole: `metrics.json` is written last, and a run that goes away meanwhile is left out.

    Args:
        config: which folder, conditions and order.

    Raises:
        NotFoundError: there is no such folder.
        ConfigError: a condition is none, or names nothing that the runs know.
    """
    conditions = [parse_condition(text) for text in config.where]
    if not is_folder(config.folder):
        raise NotFoundError(
            "The folder of runs must exist. {path} does not. Give the folder that holds the runs.",
            path=config.folder,
        )
    found: list[ListedRun] = []
    skipped: list[Skipped] = []
    with progress_task("Reading runs") as task:
        for directory in _directories(config.folder, _DEEPEST):
            try:
                found.append(_listed(directory, config.folder))
            except (FileNotFoundError, NotADirectoryError):  # its owner took it away just now
                continue
            except (OSError, ValueError) as error:
                skipped.append(
                    Skipped(
                        str(directory / METRICS),
                        "No run wrote this file: {reason}.",
                        {"reason": reason_of(error)},
                    )
                )
            task.advance()
    values = [run.values for run in found]
    for name in (*(condition.name for condition in conditions), config.sort):
        require_known(name, values if name not in COLUMNS else [])
    listed = [run for run in found if all(condition.holds(run.values) for condition in conditions)]
    return RunList(_sorted(listed, config.sort, reverse=config.reverse), skipped, len(found) - len(listed))


def _directories(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the directories of runs; a run's own folders, hidden ones and links are not looked into."""
    try:
        with scandir(folder) as entries:
            there = sorted(entries, key=lambda entry: entry.name)
    except OSError:  # taken away, or not ours to read
        return
    if any(entry.name == METRICS and entry.is_file(follow_symlinks=True) for entry in there):
        yield folder
        return
    for entry in there:
        if depth and entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
            yield from _directories(folder / entry.name, depth - 1)


def _listed(directory: Path, folder: Path) -> ListedRun:
    stored = parse_json(_METRICS, read_bytes(directory / METRICS))
    more: JsonObject = {**(stored.model_extra or {})}
    figures = dict(_figures("", more))
    low, value, high = (figures.get(f"accuracy.{part}") for part in ("low", "value", "high"))
    found = ListedRun(
        name="." if directory == folder else directory.relative_to(folder).as_posix(),
        date=_date(directory / METRICS),
        data=str(more.get("data_sha", "")),
        task="anomaly" if "anomaly" in more else "multi-label" if "hamming_loss" in more else "single-label",
        split=stored.split,
        images=_count(figures.get(f"images.{stored.split}")),
        classes=len(stored.labels),
        accuracy=(
            Interval(value, low, high)
            if isinstance(value, float) and isinstance(low, float) and isinstance(high, float)
            else None
        ),
        size=_size(directory / "model.onnx"),
        backbone=str(figures.get("card.backbone", "")),
        directory=directory,
        values={},
    )
    own = {name: getattr(found, name) for name in COLUMNS if name != "accuracy"}
    known = {name: value for name, value in own.items() if value not in (None, "")}
    return ListedRun(**{**vars(found), "values": {**figures, **known}})


def _figures(before: str, values: Mapping[str, object]) -> Iterator[tuple[str, Value]]:
    """Yield numbers and texts by the path of their keys; a metric also by its name alone."""
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            if isinstance(value.get("value"), int | float):
                yield name, float(value["value"])
            yield from _figures(f"{name}.", value)
        elif isinstance(value, bool):
            yield name, str(value).lower()
        elif isinstance(value, int | float):
            yield name, float(value)
        elif isinstance(value, str):
            yield name, value


def _count(value: Value | None) -> int | None:
    return int(value) if isinstance(value, float) else None


def _date(path: Path) -> str:
    changed = status(path).st_mtime
    return f"{datetime.fromtimestamp(changed):%Y-%m-%d %H:%M}" if changed else ""


def _size(path: Path) -> int | None:
    try:
        return status(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sorted(found: Sequence[ListedRun], name: str, *, reverse: bool) -> list[ListedRun]:
    """Return runs by a value: numbers and dates downwards, texts upwards; those without it at the end."""
    having = [run for run in found if name in run.values]
    numbers = [run for run in having if not isinstance(run.values[name], str)]
    texts = [run for run in having if isinstance(run.values[name], str)]
    numbers.sort(key=lambda run: run.values[name], reverse=not reverse)
    texts.sort(key=lambda run: run.values[name], reverse=reverse != (name == "date"))
    return [*numbers, *texts, *(run for run in found if name not in run.values)]


def _row(run: ListedRun) -> tuple[str, ...]:
    accuracy = run.accuracy
    return (
        run.name,
        run.date,
        run.data[:_HASH_SHOWN],
        run.task,
        "" if run.images is None else f"{run.images:,}",
        "" if accuracy is None else f"{100 * accuracy.value:.1f} %",
        (
            ""
            if accuracy is None
            else translate(
                "{low} to {high}", low=f"{100 * accuracy.low:.1f}", high=f"{100 * accuracy.high:.1f} %"
            )
        ),
        "" if run.size is None else f"{run.size / 1e6:.1f}",
        run.backbone,
    )

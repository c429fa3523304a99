"""The page of a comparison: how the runs differ, class by class, and which predictions changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from eyebright.evaluation.paired import Difference, accuracy_difference
from eyebright.report.charts.interval import difference_dot, interval_bar, widest
from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate
from eyebright.types import Interval
from eyebright.verbs.compare.content import ChangedPrediction, ComparedRun, ComparisonContent
from eyebright.verbs.compare.verdict import losses, points, verdict

_SHOWN_CLASSES = 30
_SHOWN_IMAGES = 60
_THUMBNAIL_PX = 224


@dataclass(frozen=True)
class RunRow:
    """A run with the chart of its accuracy, and the number of its images that are not compared."""

    run: ComparedRun
    accuracy_bar: Markup
    left_out: int


@dataclass(frozen=True)
class DifferenceCell:
    """A difference in words, the probability that it is chance, and its chart."""

    words: str
    p: float
    chart: Markup


@dataclass(frozen=True)
class DifferenceRow:
    """A pair of runs, the second less the first, and the counts that McNemar's test goes by."""

    first: str
    second: str
    counts: Difference
    accuracy: DifferenceCell
    log_loss: DifferenceCell


@dataclass(frozen=True)
class ClassRow:
    """The difference in recall of one class."""

    label: str
    images: int
    words: str
    chart: Markup


@dataclass(frozen=True)
class ChangedTile:
    """An image that the runs predict differently: its picture, and the names of the runs that are right."""

    image: ChangedPrediction
    thumbnail: Thumbnail
    correct: str


def write_comparison(path: Path, content: ComparisonContent) -> None:
    """Write the page to ``path``, whole or not at all.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    names = [run.name for run in content.runs]
    sections = [_runs(content), _differences(content)]
    sections += [_by_class(content, d) for d in content.differences] if len(names) == 2 else []
    sections.append(_changed(content.changed, names))
    head = render("verdict.html", sentences=verdict(content))
    write_text(path, document(" · ".join(names), head, sections))


def _runs(content: ComparisonContent) -> Section:
    rows = [
        RunRow(run, interval_bar(run.accuracy), left_out)
        for run, left_out in zip(content.runs, content.left_out, strict=True)
    ]
    body = render("compare/runs.html", rows=rows, images=content.images)
    return Section("runs", translate("Runs"), body)


def _differences(content: ComparisonContent) -> Section:
    ds, names = content.differences, [run.name for run in content.runs]
    reach, reach_loss = widest(*(d.accuracy for d in ds)), widest(*(d.log_loss for d in ds))
    rows = [
        DifferenceRow(
            names[d.first],
            names[d.second],
            d,
            DifferenceCell(
                points(d.accuracy), d.accuracy_p, difference_dot(d.accuracy, reach, d.better is not None)
            ),
            DifferenceCell(
                losses(d.log_loss),
                d.log_loss_p,
                difference_dot(d.log_loss, reach_loss, d.better_loss is not None),
            ),
        )
        for d in ds
    ]
    return Section("differences", translate("Differences"), render("compare/differences.html", rows=rows))


def _by_class(content: ComparisonContent, d: Difference) -> Section:
    """Return the recall of each class, the second run's less the first's, the largest differences first."""
    labels = np.array(content.labels)
    found: list[tuple[str, int, Interval]] = []
    for label in sorted(set(content.labels)):
        mine = labels == label
        groups = None if content.groups is None else content.groups[mine]
        gain = accuracy_difference(content.right[d.second, mine], content.right[d.first, mine], groups)
        found.append((label, int(mine.sum()), gain))
    found.sort(key=lambda item: (-abs(item[2].value), item[0]))
    shown = found[:_SHOWN_CLASSES]
    reach = widest(*(gain for _, _, gain in shown))
    rows = [
        ClassRow(
            label, images, points(gain), difference_dot(gain, reach, shown=gain.low > 0 or gain.high < 0)
        )
        for label, images, gain in shown
    ]
    first, second = content.runs[d.first].name, content.runs[d.second].name
    body = render("compare/classes.html", rows=rows, first=first, second=second)
    return Section("classes", translate("Results by class"), body)


def _changed(changed: Sequence[ChangedPrediction], names: Sequence[str]) -> Section:
    """Return pictures with each run's prediction, those first that some run predicts correctly."""
    shown = changed[:_SHOWN_IMAGES]
    pictures = thumbnails(shown[0].root, [image.path for image in shown], _THUMBNAIL_PX) if shown else []
    tiles = [
        ChangedTile(image, picture, _correct(image, names))
        for image, picture in zip(shown, pictures, strict=True)
    ]
    body = render("compare/changed.html", tiles=tiles, count=len(changed), names=names)
    return Section("changed", translate("Changed predictions"), body)


def _correct(image: ChangedPrediction, names: Sequence[str]) -> str:
    """Return which runs are right, in words."""
    right = [run for run, correct in zip(names, image.right, strict=True) if correct]
    return ", ".join(right) if right else translate("none")

"""The page of a comparison: what it shows, how the runs differ, class by class, and which images changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eyebright.evaluation.paired import Difference, accuracy_difference
from eyebright.report.charts.interval import difference_dot, interval_bar, widest
from eyebright.report.markup import (
    Section,
    decimal,
    name,
    number,
    paragraph,
    part_name,
    percent,
    percent_range,
    table,
    text,
)
from eyebright.report.page import document
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate
from eyebright.verbs.compare.changes import changes
from eyebright.verbs.compare.words import ComparisonContent, losses, points, verdict

_SHOWN_CLASSES = 30


def write_comparison(path: Path, content: ComparisonContent) -> None:
    """Writes the page to ``path``, whole or not at all.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    names = [run.name for run in content.runs]
    head = "".join(paragraph(sentence, "verdict") for sentence in verdict(content))
    sections = [_runs(content), _differences(content)]
    sections += [_by_class(content, d) for d in content.differences] if len(names) == 2 else []
    sections.append(changes(content.changed, names))
    write_text(path, document(" · ".join(names), head, sections))


def _runs(content: ComparisonContent) -> Section:
    intro = translate(
        "Each run on the {count:image|images} that all of them evaluated. Ranges are 95 % intervals.",
        count=number(content.images),
    )
    rows = []
    for run, left_out in zip(content.runs, content.left_out, strict=True):
        more = translate(
            "{part} split; {count:image|images} not compared",
            part=part_name(run.split),
            count=number(left_out),
        )
        loss = translate("{low} to {high}", low=decimal(run.log_loss.low), high=decimal(run.log_loss.high))
        rows.append(
            [
                f"{name(run.name)}<small>{text(more)}</small>",
                f"<b>{percent(run.accuracy.value)}</b>{interval_bar(run.accuracy)}"
                f'<small class="between">{text(percent_range(run.accuracy))}</small>',
                f'<b>{decimal(run.log_loss.value)}</b><small class="between">{text(loss)}</small>',
            ]
        )
    head = [
        text(translate("Run")),
        text(translate("Accuracy")),
        text(translate("Log loss")),
    ]
    title = translate("Runs")
    return Section("runs", title, paragraph(intro) + table(title, head, rows, "classes"))


def _differences(content: ComparisonContent) -> Section:
    """Each pair, the second less the first, and the counts that McNemar's test goes by."""
    intro = translate(
        "Both models predict the same images, so only images that exactly one of them gets right "
        "tell the two apart (McNemar's exact test). p is the probability that chance alone would "
        "produce a difference at least this large; below 0.05 the difference is called significant. "
        "The result holds for these two models; other training images or another seed may give a "
        "different one."
    )
    ds, names = content.differences, [run.name for run in content.runs]
    reach, reach_loss = widest(*(d.accuracy for d in ds)), widest(*(d.log_loss for d in ds))
    rows = [
        [
            _against(names[d.second], names[d.first]),
            _cell(
                points(d.accuracy),
                d.accuracy_p,
                difference_dot(d.accuracy, reach, d.better is not None),
            ),
            _cell(
                losses(d.log_loss),
                d.log_loss_p,
                difference_dot(d.log_loss, reach_loss, d.better_loss is not None),
            ),
            _counts(d, names),
        ]
        for d in ds
    ]
    head = [
        text(translate("Comparison")),
        text(translate("Accuracy (right is better)")),
        text(translate("Log loss (left is better)")),
        text(translate("Correctly predicted by")),
    ]
    title = translate("Differences")
    notes = paragraph(intro)
    if len(ds) > 1:
        holm = translate("Each p value is adjusted for the number of pairs (Holm).")
        notes += paragraph(holm)
    return Section("differences", title, notes + table(title, head, rows, "classes differences"))


def _against(second: str, first: str) -> str:
    return f"{name(second)}<small>{text(translate('vs. {run}', run=first))}</small>"


def _cell(figure: str, p: float, drawing: str) -> str:
    chance = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    return f"{drawing}<b>{text(figure)}</b><small>{text(chance)}</small>"


def _counts(d: Difference, names: Sequence[str]) -> str:
    pairs = [
        (translate("both"), d.both),
        (translate("only {run}", run=names[d.first]), d.only_first),
        (translate("only {run}", run=names[d.second]), d.only_second),
        (translate("neither"), d.neither),
    ]
    return "".join(f"<small>{text(title)}: {number(count)}</small>" for title, count in pairs)


def _by_class(content: ComparisonContent, d: Difference) -> Section:
    """Recall of each class, the second run's less the first's, the largest differences first."""
    labels = np.array(content.labels)
    found = []
    for label in sorted(set(content.labels)):
        mine = labels == label
        gain = accuracy_difference(content.right[d.second, mine], content.right[d.first, mine])
        found.append((label, int(mine.sum()), gain))
    found.sort(key=lambda item: (-abs(item[2].value), item[0]))
    reach = widest(*(gain for _, _, gain in found[:_SHOWN_CLASSES]))
    rows = [
        [
            f"{name(label)}<small>{text(translate('{count:image|images}', count=number(count)))}</small>",
            f"<b>{text(points(gain))}</b>",
            difference_dot(gain, reach, gain.low > 0 or gain.high < 0),
        ]
        for label, count, gain in found[:_SHOWN_CLASSES]
    ]
    intro = translate(
        "Recall of each class: {second} vs. {first}. With many classes, some differ by chance.",
        first=content.runs[d.first].name,
        second=content.runs[d.second].name,
    )
    head = [
        text(translate("Class")),
        text(translate("Recall")),
        text(translate("better →")),
    ]
    title = translate("Results by class")
    return Section("classes", title, paragraph(intro) + table(title, head, rows, "classes"))

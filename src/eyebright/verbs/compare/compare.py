"""`compare`: which of several models is better on the same images, and whether significantly so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from eyebright.evaluation.advice import row_groups
from eyebright.evaluation.intervals import Float64Array, hull, student
from eyebright.evaluation.multiclass.per_image_stats import SMALLEST_PROBABILITY
from eyebright.evaluation.paired import WORST_LOSS, Difference, differences
from eyebright.evaluation.proportions import proportion
from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.run import Run, new_directory
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import stage
from eyebright.text.language import speaking, translate
from eyebright.text.table import printable
from eyebright.types import BoolArray, IntArray, Interval, JsonObject
from eyebright.verbs.compare.content import ChangedPrediction, ComparedRun, ComparisonContent
from eyebright.verbs.compare.corrections import Corrections, correct, corrections
from eyebright.verbs.compare.options import CompareConfig
from eyebright.verbs.compare.page import write_comparison
from eyebright.verbs.compare.paired_images import PairedImages, paired_images
from eyebright.verbs.compare.verdict import verdict


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """The result of `compare`, and where it is written; it shows its metrics when it is printed.

    Attributes:
        directory: holds `compare.json` and `compare.html`.
        content: metrics and differences.
        verdict: sentences that say what they mean.
    """

    directory: Path
    content: ComparisonContent
    verdict: Sequence[str]

    @property
    def report(self) -> Path:
        """Return the path of the page."""
        return self.directory / "compare.html"

    @property
    def winner(self) -> str | None:
        """Return the run that is significantly more accurate than every other, if any."""
        return self.content.winner

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the runs' metrics, their differences, and what these say."""
        yield translate(
            "Comparison on {count:image|images} that all runs evaluated:", count=self.content.images
        )
        yield ResultTable(_run_rows(self.content), right=(1, 3))
        yield ResultTable(_difference_rows(self.content), right=(1, 3))
        page = translate("Page  {path}", path=printable(str(self.report)))
        yield "\n".join([*map(printable, self.verdict), page])


@stage
def compare(config: CompareConfig) -> Comparison:
    """Compare runs on the images that all of them evaluated, and write `compare.json` and `compare.html`.

    Args:
        config: which runs.

    Raises:
        NotFoundError: a directory holds no finished run.
        DataError: the runs evaluated no common image, or a run has no predictions to compare.
    """
    runs = [Run.open(path) for path in config.runs]
    common = paired_images(runs)
    groups, agreed = _groups(common), common.agreed
    right, losses = correct(common, common.labels), _losses(common)[:, agreed]
    among = None if groups is None else groups[agreed]
    content = ComparisonContent(
        runs=[
            ComparedRun(
                name, str(run.directory), run.stored.split, proportion(hits, groups), _loss(loss, among)
            )
            for name, run, hits, loss in zip(common.names, runs, right, losses, strict=True)
        ],
        images=len(common.labels),
        left_out=common.left_out,
        differences=_differences(right, losses, groups, agreed, config.seed),
        groups=groups,
        labels=common.labels,
        right=right,
        changed=_changed(common),
        corrections=corrections(common, groups),
    )
    directory = new_directory(config.out, "comparisons", common.names[0])
    sentences = verdict(content)
    comparison = Comparison(directory, content, sentences)
    write_comparison(comparison.report, content)
    with speaking("en"):
        figures = _figures(content, verdict(content))
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    write_text(directory / "compare.json", text)
    return comparison


def _differences(
    right: BoolArray, losses: Float64Array, groups: IntArray | None, agreed: BoolArray, seed: int
) -> tuple[Difference, ...]:
    """Return the differences of every pair of runs.

    Args:
        right: (R, N) whether each run was right.
        losses: (R, M) log losses of the images whose labels all runs agree on: of the others no run says how
            likely it held the corrected label.
        groups: (N,) numbers of groups, or None.
        agreed: (N,) whether an image is among the M.
        seed: of the bootstrap.
    """
    if agreed.all():
        return differences(right, losses, groups, seed=seed)
    among = None if groups is None else groups[agreed]
    of_losses = differences(right[:, agreed], losses, among, seed=seed)
    of_all = differences(right, np.zeros(right.shape), groups, seed=seed)
    return tuple(
        replace(found, log_loss=some.log_loss, log_loss_p=some.log_loss_p)
        for found, some in zip(of_all, of_losses, strict=True)
    )


def _groups(common: PairedImages) -> IntArray | None:
    """Return (N,) the images' groups as a run knows them; None where none does."""
    return row_groups(next((rows for rows in common.rows if any(row.group for row in rows)), common.rows[0]))


def _losses(common: PairedImages) -> Float64Array:
    """Return (R, N) log losses, in nats."""
    shares = np.array([[row.label_probability for row in rows] for rows in common.rows], np.float64)
    return np.asarray(-np.log(np.clip(shares, SMALLEST_PROBABILITY, 1)))


def _loss(losses: Float64Array, groups: IntArray | None) -> Interval:
    return hull(float(losses.mean()), student(losses, groups), top=WORST_LOSS)


def _changed(common: PairedImages) -> list[ChangedPrediction]:
    """Return images that the runs predict differently: first those that one predicts correctly."""
    found = [
        ChangedPrediction(common.roots[0], rows[0].path, label, [(r.predicted, r.confidence) for r in rows])
        for *rows, label in zip(*common.rows, common.labels, strict=True)
        if len({row.predicted for row in rows}) > 1
    ]
    return sorted(found, key=lambda c: (not c.decided, -sum(sure for _, sure in c.answers), c.path))


def _figures(content: ComparisonContent, sentences: Sequence[str]) -> JsonObject:
    """Return the content of `compare.json`."""
    names = [run.name for run in content.runs]
    return {
        "images": content.images,
        "winner": content.winner,
        "verdict": list(sentences),
        "runs": [asdict(run) for run in content.runs],
        **({} if content.corrections is None else {"corrections": _corrections(content.corrections, names)}),
        "left_out": dict(zip(names, content.left_out, strict=True)),
        "differences": [_difference(d, names) for d in content.differences],
        "changed": [
            {
                "path": image.path,
                "label": image.label,
                "answers": {
                    name: {"predicted": predicted, "confidence": round(sure, 6)}
                    for name, (predicted, sure) in zip(names, image.answers, strict=True)
                },
            }
            for image in content.changed
        ],
    }


def _corrections(found: Corrections, names: Sequence[str]) -> JsonObject:
    rows = zip(names, found.before, found.moved, strict=True)
    return {
        "images": found.images,
        "runs": {name: {"before": asdict(before), "moved": asdict(moved)} for name, before, moved in rows},
    }


def _difference(d: Difference, names: Sequence[str]) -> JsonObject:
    return asdict(d) | {
        "first": names[d.first],
        "second": names[d.second],
        "better": None if d.better is None else names[d.better],
        "better_log_loss": None if d.better_loss is None else names[d.better_loss],
    }


def _run_rows(content: ComparisonContent) -> list[tuple[str, ...]]:
    between = translate("95 % interval")
    rows: list[tuple[str, ...]] = [("", translate("Accuracy"), between, translate("Log loss"), between)]
    for run in content.runs:
        a, loss = run.accuracy, run.log_loss
        rows.append(
            (
                printable(run.name),
                f"{100 * a.value:.1f} %",
                _between(f"{100 * a.low:.1f}", f"{100 * a.high:.1f} %"),
                f"{loss.value:.3f}",
                _between(f"{loss.low:.3f}", f"{loss.high:.3f}"),
            )
        )
    return rows


def _difference_rows(content: ComparisonContent) -> list[tuple[str, ...]]:
    names = [printable(run.name) for run in content.runs]
    between = translate("95 % interval")
    head = (
        "",
        translate("difference (points)"),
        between,
        translate("only one correct"),
        translate("p (McNemar)"),
        translate("log loss"),
        between,
        "p",
    )
    rows: list[tuple[str, ...]] = [head]
    for d in content.differences:
        a, loss = d.accuracy, d.log_loss
        rows.append(
            (
                f"{names[d.second]} - {names[d.first]}",
                f"{100 * a.value:+.1f}",
                _between(f"{100 * a.low:+.1f}", f"{100 * a.high:+.1f}"),
                f"{d.only_second} / {d.only_first}",
                _chance(d.accuracy_p),
                f"{loss.value:+.3f}",
                _between(f"{loss.low:+.3f}", f"{loss.high:+.3f}"),
                _chance(d.log_loss_p),
            )
        )
    return rows


def _chance(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _between(low: str, high: str) -> str:
    return translate("{low} to {high}", low=low, high=high)

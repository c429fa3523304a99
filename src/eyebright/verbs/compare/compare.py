"""`compare`: which of several models is better on the same images, and whether that is more than chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eyebright.evaluation.intervals import hull, pair, student, wilson
from eyebright.evaluation.multiclass.per_image_stats import SMALLEST_PROBABILITY
from eyebright.evaluation.paired import WORST_LOSS, Difference, differences
from eyebright.runs.run import Run, new_directory
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import stage
from eyebright.text.language import speaking
from eyebright.types import Interval
from eyebright.verbs.compare.content import ChangedPrediction, ComparedRun, ComparisonContent
from eyebright.verbs.compare.options import CompareConfig
from eyebright.verbs.compare.page import write_comparison
from eyebright.verbs.compare.paired_images import CommonImages, common_images
from eyebright.verbs.compare.verdict import verdict


@dataclass(frozen=True)
class Comparison:
    """What `compare` found, and where it stands.

    Attributes:
        directory: holds `compare.json` and `compare.html`.
        content: the figures.
        verdict: what they say, in plain words.
    """

    directory: Path
    content: ComparisonContent
    verdict: Sequence[str]

    @property
    def report(self) -> Path:
        """The page to read."""
        return self.directory / "compare.html"

    @property
    def winner(self) -> str | None:
        """The run that is shown to be more accurate than every other, if any."""
        return self.content.winner


@stage
def compare(config: CompareConfig) -> Comparison:
    """Compares runs on the images that all of them judged, and writes `compare.json` and `compare.html`.

    Args:
        config: which runs.

    Raises:
        NotFoundError: a directory holds no finished run.
        DataError: the runs judged no common image, or a run has no predictions to compare.
    """
    runs = [Run.open(path) for path in config.runs]
    common = common_images(runs)
    right, losses = _right(common), _losses(common)
    content = ComparisonContent(
        runs=[
            ComparedRun(name, str(run.directory), run.metrics["split"], _accuracy(hits), _loss(loss))
            for name, run, hits, loss in zip(common.names, runs, right, losses, strict=True)
        ],
        images=len(common.shas),
        left_out=common.left_out,
        differences=differences(right, losses, seed=config.seed),
        labels=[row.label for row in common.rows[0]],
        right=right,
        changed=_changed(common),
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


def _right(common: CommonImages) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """(R, N) whether each run named each image right."""
    return np.array([[row.predicted == row.label for row in rows] for rows in common.rows])


def _losses(common: CommonImages) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(R, N) log losses, in nats."""
    shares = np.array([[row.label_probability for row in rows] for rows in common.rows], np.float64)
    return np.asarray(-np.log(np.clip(shares, SMALLEST_PROBABILITY, 1)))


def _accuracy(right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Interval:
    return hull(float(right.mean()), pair(wilson(right.sum(), len(right))))


def _loss(losses: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Interval:
    limits = student(losses) if len(losses) > 1 else (0.0, WORST_LOSS)
    return hull(float(losses.mean()), limits, top=WORST_LOSS)


def _changed(common: CommonImages) -> list[ChangedPrediction]:
    """Images that the runs name differently: those first that one names right, then by how sure they are."""
    found = [
        ChangedPrediction(
            common.roots[0], rows[0].path, rows[0].label, [(r.predicted, r.confidence) for r in rows]
        )
        for rows in zip(*common.rows, strict=True)
        if len({row.predicted for row in rows}) > 1
    ]
    return sorted(found, key=lambda c: (not c.decided, -sum(sure for _, sure in c.answers), c.path))


def _figures(content: ComparisonContent, sentences: Sequence[str]) -> dict[str, Any]:
    """The content of `compare.json`."""
    names = [run.name for run in content.runs]
    return {
        "images": content.images,
        "winner": content.winner,
        "verdict": list(sentences),
        "runs": [asdict(run) for run in content.runs],
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


def _difference(d: Difference, names: Sequence[str]) -> dict[str, Any]:
    return asdict(d) | {
        "first": names[d.first],
        "second": names[d.second],
        "better": None if d.better is None else names[d.better],
        "better_log_loss": None if d.better_loss is None else names[d.better_loss],
    }

"""Multi-label: what would help most, as sentences, each with the section behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from eyebright.evaluation.advice import SURE
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.text.format import number, percent, percent_range
from eyebright.text.language import translate

_STEPS = 3
_FEW_IMAGES = 30
_LOPSIDED = 3  # times as many errors of one kind: then another threshold trades them


def label_steps(m: LabelMetrics, rows: Sequence[PredictionRow]) -> list[tuple[str, str]]:
    """Return the three most useful steps, as sentences with the anchors of the sections that back them.

    Args:
        m: of the evaluated split.
        rows: its predictions.
    """
    return list(islice(_all(m, rows), _STEPS))


def rarely_ruled_out(m: LabelMetrics) -> dict[str, tuple[int, int]]:
    """Return labels that are predicted for most images without them: how many, of how many without.

    A model that always predicts a label that is nearly always true has high recall and precision for it.
    """
    without = m.count - m.together.diagonal()
    counts = zip(m.labels, m.false_positives.tolist(), without.tolist(), strict=True)
    return {label: (invented, total) for label, invented, total in counts if 2 * invented >= total}


def label_doubts(m: LabelMetrics) -> list[str]:
    """Return whether one prediction for all images would be as good, and which labels it rarely rules out."""
    said = []
    if m.hamming_loss.high >= m.constant_loss:
        said.append(
            translate(
                "Not significantly better than predicting the same labels for every image: {own} of "
                "the label predictions are wrong, against {constant}.",
                own=f"{percent(m.hamming_loss.value)} ({percent_range(m.hamming_loss)})",
                constant=percent(m.constant_loss),
            )
        )
    return said + [
        translate(
            "Ruling out {label}: of {count:image|images} without it, {invented} are false positives.",
            label=label,
            count=number(total),
            invented=number(invented),
        )
        for label, (invented, total) in rarely_ruled_out(m).items()
    ]


def _all(m: LabelMetrics, rows: Sequence[PredictionRow]) -> Iterator[tuple[str, str]]:
    fewest = min(m.per_class, key=lambda c: (c.support, c.label))
    if fewest.support < _FEW_IMAGES:
        low, high = percent(fewest.recall.low, 0), percent(fewest.recall.high, 0)
        sentence = translate(
            "Evaluate on more images: {label} has only {count:image|images}, so its recall may be "
            "anywhere {between}.",
            label=fewest.label,
            count=number(fewest.support),
            between=translate("from {low} to {high}", low=low, high=high),
        )
        yield sentence, "classes"
    wrong = int((m.false_negatives + m.false_positives).sum())
    if not wrong:
        return
    worst = int((m.false_negatives + m.false_positives).argmax())
    missed, invented = int(m.false_negatives[worst]), int(m.false_positives[worst])
    values = {"label": m.labels[worst], "count": number(max(missed, invented)), "all": number(wrong)}
    if missed >= invented:
        yield (
            translate(
                "Add images with {label}: its false negatives make up {count} of {all:error|errors}.",
                **values,
            ),
            "classes",
        )
    else:
        sentence = translate(
            "Add images without {label}: its false positives make up {count} of {all:error|errors}.", **values
        )
        yield sentence, "classes"
    if max(missed, invented) >= _LOPSIDED * max(1, min(missed, invented)):
        sentence = translate(
            "Set a separate threshold for {label} (--target): at {threshold} it has {missed:false "
            "negative|false negatives} and {invented:false positive|false positives}.",
            label=m.labels[worst],
            threshold=f"{m.thresholds[worst]:.3g}",
            missed=number(missed),
            invented=number(invented),
        )
        yield sentence, "classes"
    mistakes = [row for row in rows if row.predicted != row.label]
    sure = sum(row.confidence >= SURE for row in mistakes)
    if sure:
        sentence = translate(
            "Check the labels of the {count:most confident mistake|most confident mistakes} (of {all}).",
            count=number(sure),
            all=number(len(mistakes)),
        )
        yield sentence, "mistakes"

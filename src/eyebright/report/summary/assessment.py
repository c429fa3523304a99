"""What the model can be trusted with, what not, and what to do next: sentences, each with its evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eyebright.evaluation.advice import SURE, Step, doubted, next_steps, sure_answers, trusted
from eyebright.evaluation.multiclass.results import ClassMetrics
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.anomaly import words as anomaly_words
from eyebright.report.anomaly.outcome import AnomalyOutcome
from eyebright.report.content import ReportContent
from eyebright.report.multilabel.headline import sentences
from eyebright.report.multilabel.next_steps import label_doubts, label_steps, rarely_ruled_out
from eyebright.report.summary.findings import few_images
from eyebright.text.format import listed, number, percent, percent_range
from eyebright.text.language import translate
from eyebright.types import Interval

_LISTED = 4


@dataclass(frozen=True)
class Statement:
    """A sentence, and the anchor of the section that backs it."""

    sentence: str
    evidence: str


@dataclass(frozen=True)
class Assessment:
    """Three lists of statements; none is empty, but for ``steps`` of a model without a mistake."""

    trust: Sequence[Statement]
    doubt: Sequence[Statement]
    steps: Sequence[Statement]


def assess(content: ReportContent) -> Assessment:
    """Return what the metrics of a run say to somebody who wants to use the model."""
    if content.anomaly is not None:
        return _of_anomalies(content.anomaly)
    return Assessment(_trust(content), _doubt(content), _steps(content))


def verdict_of(content: ReportContent) -> Sequence[str]:
    """Return what a run means for new images, as plain sentences."""
    return sentences(content.metrics) if content.anomaly is None else anomaly_words.verdict(content.anomaly)


def _of_anomalies(outcome: AnomalyOutcome) -> Assessment:
    return Assessment(
        [Statement(sentence, "figures") for sentence in anomaly_words.reliable(outcome)],
        [Statement(sentence, "kinds") for sentence in anomaly_words.doubtful(outcome)],
        [Statement(sentence, "suspects") for sentence in anomaly_words.steps(outcome)],
    )


def _steps(content: ReportContent) -> list[Statement]:
    if isinstance(content.metrics, LabelMetrics):
        return [Statement(*step) for step in label_steps(content.metrics, content.evaluated)]
    # A manifest without training images, as of `evaluate`, does not say how many there were.
    trained = Counter(sample.label for sample in content.manifest.of("train"))
    forecast = None if content.learning_curve is None else content.learning_curve.forecast
    steps = next_steps(
        content.metrics,
        content.evaluated,
        trained,
        tunable=content.tunable,
        more_helps=None if forecast is None else forecast.worth_it,
    )
    return [_step(step) for step in steps]


def _trust(content: ReportContent) -> list[Statement]:
    said = []
    if (sure := sure_answers(content.evaluated)) is None:
        none = translate("No confidence level is shown to give 95 % accuracy: review every prediction.")
        said.append(Statement(none, "reliability"))
    elif not sure.level:
        sentence = translate("Of all its predictions, {right} are correct.", right=_share(sure.right))
        said.append(Statement(sentence, "figures"))
    else:
        sentence = translate(
            "Predictions with a confidence of at least {level} ({share} of the images): accuracy {right}.",
            level=percent(sure.level, 0),
            share=percent(sure.share.value, 0),
            right=_share(sure.right),
        )
        said.append(Statement(sentence, "reliability"))
    m = content.metrics
    hollow = rarely_ruled_out(m) if isinstance(m, LabelMetrics) else {}
    if classes := [c for c in trusted(m) if c.label not in hollow]:
        sentence = translate(
            "Classes whose recall and precision are at least 80 % even at the lower end of the "
            "interval: {classes}.",
            classes=listed([c.label for c in classes]),
        )
        said.append(Statement(sentence, "classes"))
    return said


def _doubt(content: ReportContent) -> list[Statement]:
    m = content.metrics
    said = [Statement(_missed(c), "classes") for c in doubted(m)[:_LISTED]]
    if isinstance(m, LabelMetrics):
        said += [Statement(sentence, "classes") for sentence in label_doubts(m)[:_LISTED]]
    sure = sum(row.confidence >= SURE and row.predicted != row.label for row in content.evaluated)
    if sure:
        sentence = translate(
            "{count:wrong prediction has|wrong predictions have} a confidence of at least {level}.",
            level=percent(SURE, 0),
            count=number(sure),
        )
        said.append(Statement(sentence, "mistakes"))
    support = {c.label: c.support for c in content.metrics.per_class}
    said += [Statement(sentence, "classes") for sentence in few_images(support)]
    other = translate(
        "Images unlike the training images, from another camera or place: these metrics say nothing "
        "about them."
    )
    return [*said, Statement(other, "data" if content.uncertainty is None else "unknown")]


def _step(step: Step) -> Statement:
    match step.kind:
        case "judge":
            sentence = translate(
                "Evaluate on more images: {label} has only {count:image|images}, so its recall may "
                "be anywhere {between}.",
                label=step.classes[0],
                count=number(step.of),
                between=_between(step.figure),
            )
            return Statement(sentence, "classes")
        case "labels":
            sentence = translate(
                "Check the labels of the {count:most confident mistake|most confident mistakes} (of {all}).",
                count=number(step.mistakes),
                all=number(step.of),
            )
            return Statement(sentence, "mistakes")
        case "images":
            known = {"label": step.classes[0], "found": _share(step.figure)}
            sentence = (
                translate(
                    "Add images of {label}: its recall is {found}, with {count:training image|training "
                    "images}.",
                    **known,
                    count=number(step.of),
                )
                if step.of
                else translate("Add training images of {label}: its recall is {found}.", **known)
            )
            return Statement(sentence, "classes")
        case "pair":
            sentence = translate(
                "Compare {first} with {second}: they are confused in {count} of {all:mistake|mistakes}.",
                first=step.classes[0],
                second=step.classes[1],
                count=number(step.mistakes),
                all=number(step.of),
            )
            return Statement(sentence, "confusion")
        case "tune":
            sentence = translate(
                "Try `--finetune auto`: the backbone is frozen so far (accuracy {right}); auto also "
                "fine-tunes it and keeps the better model.",
                right=_share(step.figure),
            )
            return Statement(sentence, "figures")


def _missed(figures: ClassMetrics) -> str:
    return translate("{label}: recall {found}.", label=figures.label, found=_share(figures.recall))


def _share(interval: Interval) -> str:
    return f"{percent(interval.value)} ({percent_range(interval)})"


def _between(interval: Interval) -> str:
    low, high = percent(interval.low, 0), percent(interval.high, 0)
    return translate("from {low} to {high}", low=low, high=high)

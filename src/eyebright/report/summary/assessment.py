"""What the model can be trusted with, what not, and what to do next: sentences, each with its evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from eyebright.evaluation.advice import SURE, Step, doubted, next_steps, sure_answers, trusted
from eyebright.evaluation.multiclass.results import ClassMetrics
from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.report.content import ReportContent
from eyebright.report.markup import number, percent, percent_range
from eyebright.report.multilabel.next_steps import hardly_denied, label_doubts, label_steps
from eyebright.text.language import translate
from eyebright.types import Interval, Lang

_LISTED = 4
_NAMES = 8


@dataclass(frozen=True)
class Statement:
    """A sentence, and the anchor of the section whose figures back it."""

    sentence: str
    evidence: str


@dataclass(frozen=True)
class Judgement:
    """Three lists of statements; none is empty, but for ``steps`` of a model without a mistake."""

    trust: Sequence[Statement]
    doubt: Sequence[Statement]
    steps: Sequence[Statement]


def judgement(content: ReportContent, lang: Lang) -> Judgement:
    """What the figures of a run say to somebody who wants to use the model."""
    return Judgement(_trust(content, lang), _doubt(content, lang), _steps(content, lang))


def _steps(content: ReportContent, lang: Lang) -> list[Statement]:
    if isinstance(content.metrics, LabelMetrics):
        return [Statement(*step) for step in label_steps(content.metrics, content.judged, lang)]
    trained = Counter(sample.label for sample in content.manifest.of("train"))
    forecast = None if content.curve is None else content.curve.forecast
    steps = next_steps(
        content.metrics,
        content.judged,
        trained,
        tunable=content.tunable,
        more_helps=None if forecast is None else forecast.worth_it,
    )
    return [_step(step, lang) for step in steps]


def _trust(content: ReportContent, lang: Lang) -> list[Statement]:
    said = []
    if (sure := sure_answers(content.judged)) is None:
        none = translate(
            "No answer without a second look: at no level of confidence are 95 of 100 answers right.", lang
        )
        said.append(Statement(none, "reliability"))
    elif not sure.level:
        sentence = translate("Its answers: {right} are right.", lang, right=_share(sure.right, lang))
        said.append(Statement(sentence, "figures"))
    else:
        sentence = translate(
            "Answers that it is at least {level} sure of, {share} of the images: {right} are right.",
            lang,
            level=percent(sure.level, lang, 0),
            share=percent(sure.share.value, lang, 0),
            right=_share(sure.right, lang),
        )
        said.append(Statement(sentence, "reliability"))
    m = content.metrics
    hollow = hardly_denied(m) if isinstance(m, LabelMetrics) else {}
    if classes := [c for c in trusted(m) if c.label not in hollow]:
        sentence = translate(
            "Found, and named rightly, at least 80 times of 100 at the worst: {classes}.",
            lang,
            classes=_names([c.label for c in classes], lang),
        )
        said.append(Statement(sentence, "classes"))
    return said


def _doubt(content: ReportContent, lang: Lang) -> list[Statement]:
    m = content.metrics
    said = [Statement(_missed(c, lang), "classes") for c in doubted(m)[:_LISTED]]
    if isinstance(m, LabelMetrics):
        said += [Statement(sentence, "classes") for sentence in label_doubts(m, lang)[:_LISTED]]
    sure = sum(row.confidence >= SURE and row.predicted != row.label for row in content.judged)
    if sure:
        sentence = translate(
            "It was at least {level} sure of {count} wrong answers.",
            lang,
            level=percent(SURE, lang, 0),
            count=number(sure),
        )
        said.append(Statement(sentence, "mistakes"))
    absent = [c.label for c in content.metrics.per_class if not c.support]
    if absent:
        sentence = translate(
            "Nothing is known of classes without an image here: {classes}.",
            lang,
            classes=_names(absent, lang),
        )
        said.append(Statement(sentence, "classes"))
    other = translate(
        "Images of another kind than it was trained on, from another camera or place: these figures say "
        "nothing of them.",
        lang,
    )
    return [*said, Statement(other, "data" if content.knowing is None else "unknown")]


def _step(step: Step, lang: Lang) -> Statement:
    match step.kind:
        case "judge":
            sentence = translate(
                "Judge by more images: {label} has {count}, so its share found may be anything {between}.",
                lang,
                label=step.classes[0],
                count=number(step.of),
                between=_between(step.figure, lang),
            )
            return Statement(sentence, "classes")
        case "labels":
            sentence = translate(
                "Check the labels of the {count} mistakes (of {all}) that it was surest of.",
                lang,
                count=number(step.mistakes),
                all=number(step.of),
            )
            return Statement(sentence, "mistakes")
        case "images":
            sentence = translate(
                "Add images of {label}, of which it finds {found}; it was trained on {count}.",
                lang,
                label=step.classes[0],
                found=_share(step.figure, lang),
                count=number(step.of),
            )
            return Statement(sentence, "classes")
        case "pair":
            sentence = translate(
                "Look at {first} beside {second}: {count} of {all} mistakes take one for the other.",
                lang,
                first=step.classes[0],
                second=step.classes[1],
                count=number(step.mistakes),
                all=number(step.of),
            )
            return Statement(sentence, "confusion")
        case "tune":
            sentence = translate(
                "Try `--tune auto`: the backbone was left as it is, {right} are named right, and it keeps "
                "whichever way is better.",
                lang,
                right=_share(step.figure, lang),
            )
            return Statement(sentence, "figures")


def _missed(figures: ClassMetrics, lang: Lang) -> str:
    return translate(
        "{label}: it finds {found}.", lang, label=figures.label, found=_share(figures.recall, lang)
    )


def _names(labels: Sequence[str], lang: Lang) -> str:
    listed = ", ".join(labels[:_NAMES])
    if len(labels) <= _NAMES:
        return listed
    return translate("{listed} and {count} more", lang, listed=listed, count=number(len(labels) - _NAMES))


def _share(interval: Interval, lang: Lang) -> str:
    return f"{percent(interval.value, lang)} ({percent_range(interval, lang)})"


def _between(interval: Interval, lang: Lang) -> str:
    low, high = percent(interval.low, lang, 0), percent(interval.high, lang, 0)
    return translate("from {low} to {high}", lang, low=low, high=high)

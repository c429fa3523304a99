"""What a comparison says in plain words: never more than its numbers show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eyebright.evaluation.paired import Difference
from eyebright.text.format import percent
from eyebright.text.language import translate
from eyebright.types import Interval
from eyebright.verbs.compare.content import ComparisonContent


def verdict(content: ComparisonContent) -> list[str]:
    """Return plain sentences about accuracy and, where two runs are compared, about log loss."""
    names = [run.name for run in content.runs]
    if len(names) == 2:
        (difference,) = content.differences
        return [_of_accuracy(difference, names), _of_loss(difference, names), *_of_labels(content)]
    if content.winner is not None:
        sentence = translate("{run} is significantly more accurate than every other run.", run=content.winner)
        return [sentence, *_of_labels(content)]
    none = translate("No run is significantly more accurate than all others.")
    return [none, *_of_labels(content)]


def points(interval: Interval) -> str:
    """Return a difference of shares in percentage points with its interval, as text."""
    value, low, high = (f"{100 * v:+.1f}" for v in (interval.value, interval.low, interval.high))
    return translate("{value} points ({low} to {high})", value=value, low=low, high=high)


def _of_accuracy(d: Difference, names: Sequence[str]) -> str:
    facts = {"first": names[d.first], "second": names[d.second], "difference": points(d.accuracy)}
    if d.better is None:
        return translate(
            "No significant difference in accuracy: {second} vs. {first} {difference}.",
            **facts,
        )
    better, worse = names[d.better], names[d.first + d.second - d.better]
    return translate(
        "{better} is significantly more accurate than {worse}: {second} against {first} {difference}.",
        better=better,
        worse=worse,
        **facts,
    )


def _of_loss(d: Difference, names: Sequence[str]) -> str:
    between = losses(d.log_loss)
    if d.better_loss is None:
        return translate("No significant difference in log loss: {difference}.", difference=between)
    return translate(
        "The probabilities of {better} are significantly better: log loss {difference}.",
        better=names[d.better_loss],
        difference=between,
    )


def _of_labels(content: ComparisonContent) -> Iterator[str]:
    """Yield what corrected labels alone change, without another model."""
    found = content.corrections
    if found is None:
        return
    yield translate(
        "{count:label was|labels were} corrected by the fixes of a run. All runs are compared by the "
        "corrected labels, and their log loss on the images whose labels are the same in all runs.",
        count=found.images,
    )
    for run, before, moved in zip(content.runs, found.before, found.moved, strict=True):
        values = {
            "run": run.name,
            "before": percent(before.value),
            "after": percent(run.accuracy.value),
            "difference": points(moved),
        }
        if moved.low > 0 or moved.high < 0:
            yield translate(
                "The corrected labels alone move the accuracy of {run} from {before} to {after}: "
                "{difference}. That is no gain of the model.",
                **values,
            )
        else:
            yield translate(
                "{run}: accuracy {before} by the earlier labels, {after} by the corrected ones; no "
                "significant difference ({difference}).",
                **values,
            )


def losses(interval: Interval) -> str:
    """Return a difference of log losses with its interval, as text."""
    value, low, high = (f"{v:+.3f}" for v in (interval.value, interval.low, interval.high))
    return translate("{value} ({low} to {high})", value=value, low=low, high=high)

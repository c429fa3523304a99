"""What a training on good images alone found, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from eyebright.report.anomaly.outcome import AnomalyOutcome
from eyebright.text.format import number, percent, percent_range
from eyebright.text.language import translate
from eyebright.types import Interval

_LISTED = 4
_WEAK = 0.8


def verdict(outcome: AnomalyOutcome) -> tuple[str, ...]:
    """Return what false alarms and recall mean for new images, as plain sentences."""
    said = []
    if outcome.false_alarms is not None:
        said.append(
            translate(
                "Of 1,000 new good images like these, about {value} will raise a false alarm (between {low} "
                "and {high}).",
                value=number(round(1000 * outcome.false_alarms.value)),
                low=number(round(1000 * outcome.false_alarms.low)),
                high=number(round(1000 * outcome.false_alarms.high)),
            )
        )
    if outcome.recall is not None:
        said.append(
            translate(
                "Of 100 anomalies like these, about {value} will be found (between {low} and {high}).",
                value=number(round(100 * outcome.recall.value)),
                low=number(round(100 * outcome.recall.low)),
                high=number(round(100 * outcome.recall.high)),
            )
        )
    else:
        said.append(translate("No anomaly was evaluated, so nothing is known of how many are found."))
    return tuple(said)


def reliable(outcome: AnomalyOutcome) -> Iterator[str]:
    """Yield what one can rely on."""
    limit = outcome.limit
    if limit.rate is not None and limit.assured:
        yield translate(
            "The limit was set by rank on {count:good image|good images} that the model did not learn from: "
            "on average, at most {rate} of images like these exceed it.",
            count=limit.good,
            rate=percent(limit.rate),
        )
    if outcome.auroc is not None:
        yield translate(
            "An anomaly scores higher than a good image in {share} of all pairs (AUROC).",
            share=between(outcome.auroc),
        )


def doubtful(outcome: AnomalyOutcome) -> Iterator[str]:
    """Yield what one cannot rely on."""
    limit = outcome.limit
    if limit.rate is not None and not limit.assured and limit.least is not None:
        yield translate(
            "The limit rests on {count:good image|good images}; for {rate} false alarms it takes {least}.",
            count=limit.good,
            rate=percent(limit.rate),
            least=number(limit.least),
        )
    for kind in outcome.kinds[:_LISTED] if outcome.recall is not None else ():
        if kind.recall.low < _WEAK:
            yield translate("{label}: recall {found}.", label=kind.kind, found=between(kind.recall))
    yield translate(
        "Kinds of anomalies that were never evaluated, and good images from another camera, light or place."
    )


def steps(outcome: AnomalyOutcome) -> Iterator[str]:
    """Yield the best next steps."""
    limit = outcome.limit
    if outcome.suspects:
        yield translate(
            "Look at {count:training image that is|training images that are} unlike the others: defects that "
            "hide among good images are learned as good.",
            count=len(outcome.suspects),
        )
    if limit.needed is not None and limit.rate is not None and outcome.good < limit.needed:
        yield translate(
            "Evaluate on more good images: to show at most {rate} false alarms takes {needed} without a "
            "false alarm; there were {count}.",
            rate=percent(limit.rate),
            needed=number(limit.needed),
            count=number(outcome.good),
        )
    if not outcome.anomalies:
        yield translate(
            "Photograph some defects and put them into test/, in a folder for each kind: then what is found "
            "is measured."
        )
    elif not limit.anomalies:
        yield translate("Put some defects into val/ as well: then they help to choose how to score.")


def between(interval: Interval) -> str:
    """Return a share with its interval."""
    return f"{percent(interval.value)} ({percent_range(interval)})"

"""What is claimed of a model, and whether the images bear it out: sentences for all that is shown.

They are made from the entries of `metrics.json`, so that terminal, report and
model card say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eyebright.report.metrics_content import IntervalContent, MetricsContent
from eyebright.report.summary.claim import Claim, ClaimStatus
from eyebright.report.summary.data_claims import data_claims
from eyebright.report.summary.findings import (
    finetuning_sentence,
    robustness_sentence,
)
from eyebright.report.summary.targets import target_detail, target_verdict
from eyebright.text.format import listed, percent
from eyebright.text.language import translate

_NAMED = 3
_OF_VERDICT: Mapping[str, ClaimStatus] = {"met": "kept", "not shown": "open", "missed": "broken"}


def claims(metrics: MetricsContent) -> list[Claim]:
    """Return what stands above all metrics: what was found in the data, each target and promise, robustness.

    Args:
        metrics: the content of `metrics.json`, or those entries of it that there are.
    """
    return [
        *_data(metrics),
        *_leaks(metrics),
        *_targets(metrics),
        *_promises(metrics),
        *_against_majority(metrics),
        *_robustness(metrics),
        *_finetuning(metrics),
    ]


def _data(metrics: MetricsContent) -> Iterator[Claim]:
    if checks := metrics.get("data_checks"):
        yield from data_claims(checks)


def _leaks(metrics: MetricsContent) -> Iterator[Claim]:
    """Yield how many evaluated images are nearly equal to one of another split, if any."""
    if pairs := metrics.get("splitting", {}).get("leaks", ()):
        sentence = translate(
            "Leak: {count:image is|images are} nearly equal to an image of another split, so the metrics may "
            "be too optimistic.",
            count=len(pairs),
        )
        examples = translate(
            "They are: {examples}. `eyebright audit` proposes fixes.",
            examples=listed([f"{first} = {second}" for first, second in pairs], _NAMED),
        )
        yield Claim("broken", sentence, examples, "data")


def _targets(metrics: MetricsContent) -> Iterator[Claim]:
    for point in metrics.get("operating_points", ()):
        if "verdict" in point:  # runs of earlier versions have none
            yield Claim(
                _OF_VERDICT[point["verdict"]], target_verdict(point), target_detail(point), "operating"
            )


def _promises(metrics: MetricsContent) -> Iterator[Claim]:
    """Yield the promises that the images exclude: coverage of prediction sets, and false rejection."""
    if (sets := metrics.get("conformal")) and not sets.get("kept", True):
        promised = percent(sets["coverage"], 0)
        if sets["measured"]["high"] < sets["coverage"]:
            sentence = translate(
                "Broken promise: prediction sets contain the true class for {value} of these images "
                "({between}), not for the promised {promised}.",
                **_with_range(sets["measured"]),
                promised=promised,
            )
        else:
            sentence = translate(
                "Broken promise: prediction sets contain the true class less often than the promised "
                "{promised} for {classes}.",
                promised=promised,
                classes=listed(sets["broken_for"]),
            )
        yield Claim("broken", sentence, "", "unknown")
    if (unknown := metrics.get("unknown")) and not unknown.get("kept", True):
        sentence = translate(
            "Broken promise: {value} of these images ({between}) are predicted as unknown, more than the "
            "promised {promised}.",
            **_with_range(unknown["rejected"]),
            promised=percent(unknown["false_rejection"], 0),
        )
        yield Claim("broken", sentence, "", "unknown")


def _against_majority(metrics: MetricsContent) -> Iterator[Claim]:
    """Yield that the model is not shown to be better than always predicting one class, if so."""
    if "anomaly" in metrics:  # of good images alone nothing is better than to call all good
        return
    majority, accuracy = metrics.get("majority"), metrics.get("accuracy")
    if not majority or not accuracy or accuracy["low"] > majority["share"]:
        return
    values = {
        "label": majority["label"] or translate("no label"),
        "share": percent(majority["share"]),
        **_with_range(accuracy),
    }
    if accuracy["high"] < majority["share"]:
        sentence = translate(
            "Worse than always predicting {label}, which is correct for {share} of these images: accuracy "
            "{value} ({between}).",
            **values,
        )
        yield Claim("broken", sentence, "", "figures")
    else:
        sentence = translate(
            "Not shown to be better than always predicting {label}, which is correct for {share} of these "
            "images: accuracy {value} ({between}).",
            **values,
        )
        yield Claim("open", "", sentence, "figures")


def _robustness(metrics: MetricsContent) -> Iterator[Claim]:
    if (found := metrics.get("robustness")) and "worst" in found:
        status: ClaimStatus = "kept" if found["worst"] is None else "open"
        yield Claim(status, "", robustness_sentence(found), "robustness")
    if (shortcut := metrics.get("shortcut")) and shortcut["suspicious"]:
        sentence = translate(
            "The border alone is almost enough. The model may rely on the background, unless the objects "
            "fill the image: test it on other backgrounds."
        )
        yield Claim("open", "", sentence, "robustness")


def _finetuning(metrics: MetricsContent) -> Iterator[Claim]:
    if found := metrics.get("finetuning"):
        status: ClaimStatus = "kept" if found["gained"] or found["kept"] == "off" else "open"
        yield Claim(status, "", finetuning_sentence(found), "tuning")


def _with_range(interval: IntervalContent) -> dict[str, str]:
    low, high = percent(interval["low"]), percent(interval["high"])
    return {
        "value": percent(interval["value"]),
        "between": translate("{low} to {high}", low=low, high=high),
    }

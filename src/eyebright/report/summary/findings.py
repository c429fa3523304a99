"""Sentences about what an evaluation found: rare classes, the majority baseline, robustness, fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping

from eyebright.evaluation.advice import FEWEST_EVALUATED
from eyebright.report.content import PretrainOutcome
from eyebright.report.summary.corruption_words import corruption_level
from eyebright.text.format import listed, number, percent
from eyebright.text.language import translate
from eyebright.types import StoredJson

_LISTED = 4


def few_images(support: Mapping[str, int]) -> list[str]:
    """Return sentences that name the classes of which too few images were evaluated to say anything."""
    few = {label: count for label, count in support.items() if count < FEWEST_EVALUATED}
    if len(few) <= _LISTED:
        return [
            translate(
                "{label}: measured on {count:image|images}, nothing is known of it.",
                label=label,
                count=number(count),
            )
            for label, count in few.items()
        ]
    return [
        translate(
            "Nothing is known of {count:class|classes} measured on fewer than {least} images each: "
            "{classes}.",
            count=len(few),
            least=FEWEST_EVALUATED,
            classes=listed(list(few)),
        )
    ]


def majority_sentence(majority: StoredJson) -> str:
    """Return what always predicting the most frequent class, or set of labels, would reach."""
    return translate(
        "Always predicting {label} would be correct for {share} of these images.",
        label=majority["label"] or translate("no label"),
        share=percent(majority["share"]),
    )


def finetuning_sentence(found: StoredJson) -> str:
    """Return what fine-tuning changed on the holdout images, and what was kept."""
    values = {
        "name": finetuned_name(found["depth"]),
        "count": found["images"],
        "change": f"{found['log_loss_change']:+.3f}",
        "before": percent(found["accuracy_before"]),
        "after": percent(found["accuracy"]),
    }
    if found["kept"] == "off":
        return translate(
            "Kept: the frozen backbone. Fine-tuning brought nothing on {count:holdout image|holdout images} "
            "({name}: log loss {change}, accuracy {before} to {after}).",
            **values,
        )
    if found["gained"]:
        return translate(
            "Kept: {name}. Against the frozen backbone, it changed log loss by {change} and accuracy from "
            "{before} to {after} on {count:holdout image|holdout images}.",
            **values,
        )
    return translate(
        "{name} as requested, but it brought nothing on {count:holdout image|holdout images} (log loss "
        "{change}, accuracy {before} to {after} against the frozen backbone).",
        **values,
    )


def pretraining_sentence(found: PretrainOutcome) -> str:
    """Return what pretraining on unlabelled images changed on held-out folds, and what was kept."""
    values = {
        "count": found.images,
        "gain": f"{100 * found.gain.value:+.1f}",
        "low": f"{100 * found.gain.low:+.1f}",
        "high": f"{100 * found.gain.high:+.1f}",
        "change": f"{found.log_loss.value:+.3f}",
    }
    if found.kept:
        return translate(
            "Kept: the pretrained backbone. On held-out folds of {count:image|images}, it changed accuracy "
            "by {gain} points (95 %: {low} to {high}) and log loss by {change}.",
            **values,
        )
    return translate(
        "Kept: the backbone as it was. On held-out folds of {count:image|images}, pretraining changed "
        "accuracy by {gain} points (95 %: {low} to {high}) and log loss by {change}.",
        **values,
    )


def finetuned_name(depth: str) -> str:
    """Return how much of the backbone was fine-tuned, in words."""
    names_of = {
        "off": translate("Frozen backbone"),
        "last": translate("Last blocks fine-tuned"),
        "full": translate("Full fine-tuning"),
    }
    return names_of[depth]


def robustness_sentence(found: StoredJson) -> str:
    """Return which corruption costs most over its strengths, and from where on."""
    worst = found["worst"]
    if worst is None:
        return translate("None of the corruptions makes the model significantly worse.")
    return translate(
        "Accuracy is {clean} on the original images and {accuracy} with {change}. No other "
        "corruption costs more.",
        clean=percent(found["clean"]["value"]),
        change=corruption_level(worst["change"], worst["strength"]),
        accuracy=percent(worst["accuracy"]["value"]),
    )

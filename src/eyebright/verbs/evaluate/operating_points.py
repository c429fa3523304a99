"""Thresholds and costs, for the stages: chosen on images that are not reported, checked on those that are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from eyebright.data.manifest import Manifest
from eyebright.errors import ConfigError, DataError
from eyebright.evaluation.decisions.costs import CostFigures, cost_figures, read_costs
from eyebright.evaluation.decisions.curves import OperatingCurve, operating_curve
from eyebright.evaluation.decisions.operating import Labelled, Threshold, check, choose
from eyebright.evaluation.decisions.targets import OperatingTarget, check_target, parse_target
from eyebright.evaluation.intervals import Float64Array
from eyebright.options.decisions import DecisionConfig
from eyebright.runs.scoring import Answers
from eyebright.runtime.context import progress
from eyebright.text.language import translate
from eyebright.types import Split


@dataclass(frozen=True)
class Wanted:
    """What a person asked for, checked against the classes."""

    targets: tuple[OperatingTarget, ...]
    costs: Float64Array | None


@dataclass(frozen=True)
class Decided:
    """How the model answers, and what that gives on the images that are reported.

    Attributes:
        curves: an operating point for each target, with its curves.
        costs: (K, K), or None.
        cost: what they come to; None without costs.
    """

    curves: tuple[OperatingCurve, ...]
    costs: Float64Array | None
    cost: CostFigures | None

    def metadata(self) -> dict[str, Any]:
        """What the sealed model carries."""
        points = [curve.point.threshold.to_json() for curve in self.curves]
        return ({"operating_points": points} if points else {}) | (
            {} if self.costs is None else {"costs": self.costs.tolist()}
        )

    def figures(self) -> dict[str, Any]:
        """For `metrics.json`."""
        points = [curve.point.to_json() for curve in self.curves]
        if self.costs is None or self.cost is None:
            return {"operating_points": points}
        return {"operating_points": points, "costs": {"table": self.costs.tolist(), **asdict(self.cost)}}


def wanted(config: DecisionConfig, labels: Sequence[str], *, several: bool = False) -> Wanted:
    """The targets and costs of the options; ``several`` says that an image may have several labels.

    Raises:
        ConfigError: a target is none, names no class, or comes together with costs; or costs cannot be read,
            or stand where an image may have several labels.
    """
    if several and config.cost is not None:
        raise ConfigError(
            "Costs apply to confusing one class with another. Here, an image may have several "
            "labels. Remove --cost, and give a --target for each label that matters."
        )
    targets = tuple(parse_target(text) for text in config.target)
    for target in targets:
        check_target(target, labels)
    if targets and config.cost is not None:
        raise ConfigError(
            "Predictions can follow either targets or costs. Got --target and --cost. Remove one of them."
        )
    return Wanted(targets, None if config.cost is None else read_costs(config.cost, labels))


def check_wanted(config: DecisionConfig, manifest: Manifest) -> None:
    """Refuses targets and costs that a training could not keep to, before it begins.

    Raises:
        ConfigError: see :func:`wanted`.
        DataError: a target's class has no validation image although there is a test part.
    """
    targets = wanted(config, manifest.labels, several=manifest.several is not None).targets
    if manifest.of("test"):
        present = manifest.counts()["val"]
        for target in targets:
            if not present[target.label]:
                raise no_image(target.label)


def decide_trained(
    config: DecisionConfig, held_out: Labelled | None, answers: Answers, split: Split, seed: int
) -> Decided:
    """What a training decides: thresholds are chosen on the validation part where a test part is reported.

    Else the validation part is what is reported, and they are chosen on answers for training images that the
    model did not learn from.
    """
    asked = wanted(config, answers.labels)
    chosen_on = answers.labelled("val") if split == "test" else held_out
    chosen = thresholds(asked.targets, answers.labels, chosen_on) if chosen_on else []
    return decide(chosen, asked.costs, answers.labels, answers.labelled(split), seed)


def thresholds(
    targets: Sequence[OperatingTarget], labels: Sequence[str], chosen_on: Labelled
) -> list[Threshold]:
    """The threshold for each target.

    Raises:
        DataError: there is no image of its class to choose it on.
    """
    found = []
    for target in targets:
        number = list(labels).index(target.label)
        scores, positive = chosen_on.of_class(number)
        if not positive.any():
            raise no_image(target.label)
        found.append(choose(target, scores, positive, chosen_on.part))
    return found


def no_image(label: str) -> DataError:
    """The error for a class without an image to choose its threshold on."""
    return DataError(
        "A target needs validation images of its class. There are none of {label}. Add some, or "
        "remove the target.",
        label=label,
    )


def decide(
    chosen: Sequence[Threshold],
    costs: Float64Array | None,
    labels: Sequence[str],
    judged: Labelled,
    seed: int,
) -> Decided:
    """What thresholds and costs give on the images that are reported."""
    curves = []
    for threshold in chosen:
        number = list(labels).index(threshold.target.label)
        scores, positive = judged.of_class(number)
        curves.append(operating_curve(check(threshold, scores, positive, judged.part), scores, positive))
    cost = None if costs is None else cost_figures(judged.truth, judged.probabilities, costs, seed)
    return Decided(tuple(curves), costs, cost)


def at_thresholds(answers: Answers, decided: Decided) -> Answers:
    """Answers that name several labels as the operating points say; of several of one label the first."""
    if answers.thresholds is None:
        return answers
    thresholds = answers.thresholds.copy()
    for curve in reversed(decided.curves):
        threshold = curve.point.threshold
        thresholds[list(answers.labels).index(threshold.target.label)] = threshold.value
    return replace(answers, thresholds=thresholds)


def say_unmet(decided: Decided) -> None:
    """Says which targets no threshold meets, and the best that one can do."""
    for curve in decided.curves:
        threshold = curve.point.threshold
        if not threshold.met:
            text = translate(
                "{target} cannot be met: the best threshold reaches {best} % and is used.",
                target=str(threshold.target),
                best=f"{100 * threshold.chosen:.2f}",
            )
            progress().say(text)

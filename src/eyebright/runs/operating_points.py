"""Operating points and costs: thresholds are chosen on images outside the evaluated split, checked on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from eyebright.data.manifest import Manifest
from eyebright.errors import ConfigError, DataError
from eyebright.evaluation.decisions.costs import CostFigures, measure_costs, read_costs
from eyebright.evaluation.decisions.curves import OperatingCurve, operating_curve
from eyebright.evaluation.decisions.operating import Answers, Labelled, Threshold, check, choose, stored
from eyebright.evaluation.decisions.targets import OperatingTarget, check_target, parse_target
from eyebright.evaluation.intervals import Float64Array
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.options.decisions import DecisionConfig
from eyebright.runs.scoring import Predictions
from eyebright.runtime.compact.table import by_rows
from eyebright.runtime.context import say
from eyebright.sealed.model import SealedModel
from eyebright.task.task import THRESHOLD, task_of
from eyebright.types import FloatArray, IntArray, JsonObject


@dataclass(frozen=True)
class Wanted:
    """Targets and costs of the options, checked against the classes."""

    targets: tuple[OperatingTarget, ...]
    costs: Float64Array | None


@dataclass(frozen=True)
class OperatingPoints:
    """Operating points and costs of a model, measured on the evaluated split.

    Attributes:
        curves: an operating point for each target, with its curves.
        costs: (K, K), or None.
        cost: the costs measured; None without costs.
        contested: images that reach the thresholds of several classes, of which one is answered.
    """

    curves: tuple[OperatingCurve, ...]
    costs: Float64Array | None
    cost: CostFigures | None
    contested: int = 0

    def metadata(self) -> JsonObject:
        """Return the thresholds and costs as the sealed model carries them."""
        points = [curve.point.threshold.to_json() for curve in self.curves]
        return ({"operating_points": points} if points else {}) | (
            {} if self.costs is None else {"costs": self.costs.tolist()}
        )

    def to_json(self) -> JsonObject:
        """Return the entries `operating_points` and `costs` of `metrics.json`."""
        points = [curve.point.to_json() for curve in self.curves]
        found: JsonObject = {"operating_points": points}
        if points:
            found["contested_images"] = self.contested
        if self.costs is None or self.cost is None:
            return found
        return {**found, "costs": {"table": self.costs.tolist(), **asdict(self.cost)}}


def wanted(config: DecisionConfig, labels: Sequence[str], *, multilabel: bool = False) -> Wanted:
    """Return the targets and costs of the options; ``multilabel`` says of which task.

    Raises:
        ConfigError: a target cannot be read, names no class, or comes together with costs; or costs cannot be
            read, or are given for multi-label data.
    """
    if multilabel and config.cost is not None:
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
    """Refuse targets and costs that a training could not meet, before it begins.

    Raises:
        ConfigError: see :func:`wanted`.
        DataError: a target's class has no validation image although there is a test split.
    """
    targets = wanted(config, manifest.labels, multilabel=manifest.task.multilabel).targets
    if manifest.of("test"):
        present = manifest.counts()["val"]
        for target in targets:
            if not present[target.label]:
                raise no_image(target.label)


def thresholds(
    targets: Sequence[OperatingTarget], labels: Sequence[str], chosen_on: Labelled
) -> list[Threshold]:
    """Choose the threshold for each target; those of one class share one, the first counting most.

    Raises:
        DataError: there is no image of its class to choose it on.
    """
    found: dict[OperatingTarget, Threshold] = {}
    for label in dict.fromkeys(target.label for target in targets):
        scores, positive = chosen_on.of_class(list(labels).index(label))
        if not positive.any():
            raise no_image(label)
        own = [target for target in targets if target.label == label]
        found |= {t.target: t for t in choose(own, scores, positive, chosen_on.split)}
    return [found[target] for target in targets]


def no_image(label: str) -> DataError:
    """Return the error for a class without an image to choose its threshold on."""
    return DataError(
        "A target needs validation images of its class. There are none of {label}. Add some, or "
        "remove the target.",
        label=label,
    )


def measure_points(
    chosen: Sequence[Threshold],
    costs: Float64Array | None,
    labels: Sequence[str],
    evaluated: Labelled,
    seed: int,
    predicted: tuple[IntArray, IntArray] | None = None,
) -> OperatingPoints:
    """Measure thresholds and costs on the evaluated images, by what is answered there.

    Args:
        chosen: thresholds.
        costs: (K, K), or None.
        labels: K names.
        evaluated: predictions for N images.
        seed: of the bootstrap.
        predicted: (N,) classes, or (N, K) labels, with thresholds and without; None for what follows from
            ``chosen``.
    """
    truth, probabilities, groups = evaluated.truth, evaluated.probabilities, evaluated.groups
    task = task_of(truth)
    given, without = predicted or predicted_with(chosen, labels, probabilities, task.multilabel)
    curves = []
    for threshold in chosen:
        k = list(labels).index(threshold.target.label)
        scores, positive = evaluated.of_class(k)
        answers = Answers(task.positive(given, k), task.positive(without, k))
        point = check(threshold, answers, positive, evaluated.split, groups=groups, seed=seed)
        curves.append(operating_curve(point, scores, positive))
    cost = None if costs is None else measure_costs(truth, probabilities, costs, seed, groups)
    contested = 0 if task.multilabel else _contested(chosen, labels, probabilities)
    return OperatingPoints(tuple(curves), costs, cost, contested)


def _contested(chosen: Sequence[Threshold], labels: Sequence[str], probabilities: FloatArray) -> int:
    """Return how many images reach the thresholds of several classes."""
    in_force = _in_force(chosen, labels, np.full(len(labels), np.nan))
    return int((by_rows(lambda rows: (rows >= in_force).sum(axis=1), probabilities) > 1).sum())


def _in_force(chosen: Sequence[Threshold], labels: Sequence[str], others: Float64Array) -> Float64Array:
    """Return thresholds (K,): those of targets, of several of one class the first, in place of ``others``."""
    found = others.copy()
    for threshold in reversed(chosen):
        found[list(labels).index(threshold.target.label)] = threshold.value
    return found


def predicted_with(
    chosen: Sequence[Threshold], labels: Sequence[str], probabilities: FloatArray, multilabel: bool
) -> tuple[IntArray, IntArray]:
    """Return the predicted classes (N,), or labels (N, K), with the chosen thresholds and without any."""
    none = np.full(len(labels), THRESHOLD if multilabel else np.nan)
    with_targets = Decisions(_in_force(chosen, labels, none), multilabel=multilabel)
    without = Decisions(none, multilabel=multilabel)
    return with_targets.predict(probabilities), without.predict(probabilities)


def decided(predictions: Predictions, points: OperatingPoints) -> Predictions:
    """Return predictions by operating points and costs, in place of those that the model carries.

    Labels without a target keep their thresholds, where an image may have several. Of several targets of one
    class the first counts.
    """
    before, chosen = predictions.decisions, [curve.point.threshold for curve in points.curves]
    others = before.thresholds if before.multilabel else np.full(len(predictions.labels), np.nan)
    thresholds = _in_force(chosen, predictions.labels, others)
    return replace(predictions, decisions=replace(before, thresholds=thresholds, costs=points.costs))


def carried(model: SealedModel) -> dict[OperatingTarget, Threshold]:
    """Return the thresholds in the model's metadata, by their targets."""
    return {threshold.target: threshold for threshold in map(stored, model.facts.points)}


def say_unmet(points: OperatingPoints) -> None:
    """Say which targets no threshold meets, the best that one can do, and which targets contradict."""
    met: dict[str, list[str]] = {}
    for curve in points.curves:
        threshold = curve.point.threshold
        target, before = threshold.target, met.setdefault(threshold.target.label, [])
        best = f"{100 * threshold.chosen:.2f}"
        if not threshold.met and before:
            say(
                "{target} contradicts {first}: no threshold of {label} meets both. The target given first "
                "counts; {target} reaches {best} %.",
                target=str(target),
                first=" & ".join(before),
                label=target.label,
                best=best,
            )
        elif not threshold.met:
            say(
                "{target} cannot be met: the best threshold reaches {best} % and is used.",
                target=str(target),
                best=best,
            )
        else:
            before.append(str(target))
    if points.contested:
        say(
            "{targets} contradict each other on {count:image|images}, which reach the thresholds of several "
            "classes. The class that exceeds its threshold by the largest ratio is predicted, and the "
            "verdicts count that.",
            targets=" & ".join(str(curve.point.threshold.target) for curve in points.curves),
            count=points.contested,
        )

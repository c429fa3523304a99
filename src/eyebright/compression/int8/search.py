"""The search for int8: quantisation candidates that each keep more accuracy, or cost more, than the last."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec

import numpy as np
import onnx

from eyebright.compression.backbone import SealedBackbone
from eyebright.compression.candidate import QuantisationCandidate
from eyebright.compression.int8.bias_correction import correct_biases
from eyebright.compression.int8.calibration import CalibrationImages
from eyebright.compression.int8.quantiser import Quantiser, RangeSettings
from eyebright.runtime.context import progress_task
from eyebright.types import FloatArray, JsonObject

_CORRECTION_IMAGES = 40  # for bias correction
_SENSITIVITY_IMAGES = 24  # for finding the sensitive layers
_SENSITIVITY_GROUPS = 40  # of layers, at most
_SHARES = (0.5, 0.8)  # of the harm that the layers kept in float do
_EPOCHS = 4  # of quantisation-aware training
_OTHER_SETTINGS = (
    RangeSettings("percentile"),
    RangeSettings("error"),
    RangeSettings("minmax", equalised=True),
)

_Made = tuple[onnx.ModelProto, JsonObject]


class Int8Search:
    """Quantise one backbone, better and better.

    Args:
        backbone: in float32.
        images: the user's training images.
        threads: of a session.
    """

    def __init__(self, backbone: SealedBackbone, images: CalibrationImages, threads: int) -> None:
        self.quantiser = Quantiser(backbone, images, threads)
        self.images = images
        self.threads = threads
        self.settings = RangeSettings("minmax")

    def candidates(self) -> Iterator[QuantisationCandidate]:
        """Yield the candidates, the fastest first; each is computed when it is needed."""
        plan = self.quantiser.plan
        if not plan.static:
            yield QuantisationCandidate("int8, dynamic for matrix products", *self._made(()))
        elif plan.dynamic:
            yield QuantisationCandidate(
                "int8, static for convolutions, dynamic for matrix products", *self._made(())
            )
        else:
            yield QuantisationCandidate("int8, static, min-max ranges", *self._made(()))
        if plan.static:
            # Other ranges cost no speed, layers in float do: the best is tried even if it seems no better.
            best, self.settings = self._best_settings()
            yield self._other_ranges()
            self.settings = best
        kept: Sequence[str] = ()
        for kept in self._sensitive_layers():
            yield QuantisationCandidate("int8, most sensitive layers in float", *self._made(kept))
        if plan.static:
            yield QuantisationCandidate(
                "int8, most sensitive layers in float, biases corrected", *self._corrected(kept)
            )
            if find_spec("torch") and (trained := self._trained(kept)):
                yield QuantisationCandidate("int8, quantisation-aware training", *trained)

    def _other_ranges(self) -> QuantisationCandidate:
        """Quantise all layers with ranges other than those of the first candidate."""
        made = self._made(())
        if self.settings.equalised:
            return QuantisationCandidate("int8, static, channels equalised", *made)
        if self.settings.ranges == "percentile":
            return QuantisationCandidate("int8, static, percentile ranges (0.01 % clipped)", *made)
        return QuantisationCandidate("int8, static, least-squares ranges", *made)

    def _made(self, kept: Collection[str]) -> _Made:
        """Quantise all layers but ``kept``; return the graph and its details."""
        graph = self.quantiser.quantised(self._integers(kept), self.settings)
        return graph, self._details(graph, kept)

    def _raw(self, layers: Sequence[str]) -> onnx.ModelProto:
        return self.quantiser.raw(self._backbone, layers, self.settings)

    @property
    def _backbone(self) -> SealedBackbone:
        return self.quantiser.backbone(self.settings)

    def _corrected(self, kept: Collection[str]) -> _Made:
        """Quantise all layers but ``kept`` and correct the biases of the convolutions."""
        layers = self._integers(kept)
        static = [name for name in layers if name in self.quantiser.plan.static]
        images = self.images.calibration[:_CORRECTION_IMAGES]
        with progress_task("Correcting biases", total=len(static)) as task:
            graph = correct_biases(
                self._backbone, self._raw(layers), static, images, self.threads, task.advance
            )
        graph = self.quantiser.finished(graph)
        return graph, self._details(graph, kept) | {"biases_corrected": len(static)}

    def _trained(self, kept: Collection[str]) -> _Made | None:
        """Quantise and train; None if PyTorch lacks an operator, or no epoch moves predictions less."""
        from eyebright.compression.int8.qat import RoundedNetwork
        from eyebright.onnx_torch.reader import UnreadableError

        layers, backbone = self._integers(kept), self._backbone
        rounded = self._raw(layers)
        best, least = None, self.quantiser.cost(self.quantiser.finished(rounded))
        try:
            learner = RoundedNetwork(backbone, rounded, layers)
        except UnreadableError:
            # The formats that hold int8 do without PyTorch, so this is no error of theirs.
            return None
        images = self.images.calibration
        with progress_task("Quantisation-aware training", total=_EPOCHS * len(images)) as task:
            for epoch in range(_EPOCHS):
                learner.epoch(images, epoch, task.advance)
                changed = backbone.with_constants(learner.constants())
                graph = self.quantiser.finished(self.quantiser.raw(changed, layers, self.settings))
                if (cost := self.quantiser.cost(graph)) < least:
                    best, least = (graph, epoch + 1), cost
        return best and (best[0], self._details(best[0], kept) | {"epochs": best[1]})

    def _integers(self, kept: Collection[str]) -> list[str]:
        return [name for name in self.quantiser.plan.layers if name not in set(kept)]

    def _details(self, graph: onnx.ModelProto, kept: Collection[str]) -> JsonObject:
        layers, plan = set(self._integers(kept)), self.quantiser.plan
        return {
            "calibration_images": len(self.images.calibration),
            "ranges": self.settings.ranges if plan.static else None,
            "equalised": self.settings.equalised,
            "static_layers": len(layers.intersection(plan.static)),
            "dynamic_layers": len(layers.intersection(plan.dynamic)),
            "kept_float": [self.quantiser.describe(name) for name in kept],
            "training_difference": round(self.quantiser.cost(graph), 6),
        }

    def _best_settings(self) -> tuple[RangeSettings, RangeSettings]:
        """Return the settings that change predictions least: of all, and of those not used yet."""
        layers, costs = self.quantiser.plan.layers, {}
        candidates = (self.settings, *_OTHER_SETTINGS)
        with progress_task("Comparing quantisation ranges", total=len(candidates)) as task:
            for settings in candidates:
                costs[settings] = self.quantiser.cost(self.quantiser.quantised(layers, settings))
                task.advance()
        return min(costs, key=costs.__getitem__), min(_OTHER_SETTINGS, key=costs.__getitem__)

    def _sensitive_layers(self) -> Iterator[Sequence[str]]:
        """Yield layers to keep in float, more each time: those that do the stated shares of all harm."""
        groups = layer_groups(self.quantiser.plan.layers)
        harms = np.array(self._harms(groups))
        order = np.argsort(harms)[::-1]
        shares = np.cumsum(harms[order]) / (harms.sum() or 1)
        for share in _SHARES:
            selected = order[: int(np.searchsorted(shares, share)) + 1]
            yield [name for place in sorted(selected) for name in groups[place]]

    def _harms(self, groups: Sequence[Sequence[str]]) -> list[float]:
        """Return how far the logits of some holdout images scatter when only one group is integers."""
        images = self.images.holdout[:_SENSITIVITY_IMAGES]
        with progress_task("Measuring the sensitivity of layers", total=len(groups)) as task:
            before = self.quantiser.logits(self._backbone.graph, images)
            harms = []
            for layers in groups:
                harms.append(scatter(before, self.quantiser.logits(self._raw(layers), images)))
                task.advance()
        return harms


def scatter(before: FloatArray, after: FloatArray) -> float:
    """Return how far logits (N, K) moved, less the move of all images alike: the head takes that back."""
    change = after - before
    return float(np.abs(change - change.mean(axis=0)).mean())


def layer_groups(layers: Sequence[str]) -> list[tuple[str, ...]]:
    """Return layers one by one, or neighbours together if there are many."""
    several = -(-len(layers) // _SENSITIVITY_GROUPS)
    return [tuple(layers[i : i + several]) for i in range(0, len(layers), several)]

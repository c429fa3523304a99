"""The ladder to int8: steps that each keep more accuracy, or take more work, than the one before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx

from eyebright.compression.int8 import bias_correction as bias
from eyebright.compression.int8 import sensitivity
from eyebright.compression.int8.calibration import Squares
from eyebright.compression.int8.candidate import Rung
from eyebright.compression.int8.quantiser import Quantiser, Settings
from eyebright.compression.network import Network
from eyebright.runtime.context import progress, progress_task
from eyebright.text.language import translate
from eyebright.types import FloatArray

_CORRECTED = 40  # images for bias correction
_EPOCHS = 4  # of training with rounding
_BLAMED = 24  # images for finding the sensitive layers
_SHARES = (0.5, 0.8)  # of the harm that the layers kept in float do
_TRIED = (Settings("percentile"), Settings("error"), Settings("minmax", equalised=True))


class Int8Ladder:
    """Quantises one network, better and better.

    Args:
        network: in float32.
        squares: the user's training images.
        threads: of a session.
    """

    def __init__(self, network: Network, squares: Squares, threads: int) -> None:
        self.quantiser = Quantiser(network, squares, threads)
        self.squares = squares
        self.threads = threads
        self.settings = Settings("minmax")

    def rungs(self) -> Iterator[Rung]:
        """The steps, one after the other; each is computed when it is asked for."""
        plan = self.quantiser.plan
        if not plan.static:
            yield Rung("int8, dynamic for matrix products", *self._made(()))
        elif plan.dynamic:
            yield Rung("int8, static for convolutions, dynamic for matrix products", *self._made(()))
        else:
            yield Rung("int8, static, min-max ranges", *self._made(()))
        if plan.static:
            # Other ranges cost no speed, layers in float do: the best is tried even if it seems no better.
            best, self.settings = self._best_settings()
            yield self._rung_of_ranges()
            self.settings = best
        kept: Sequence[str] = ()
        for kept in self._sensitive():
            yield Rung("int8, most sensitive layers in float", *self._made(kept))
        if plan.static:
            yield Rung("int8, most sensitive layers in float, biases corrected", *self._corrected(kept))
            if find_spec("torch") and (trained := self._trained(kept)):
                yield Rung("int8, quantisation-aware training", *trained)

    def _rung_of_ranges(self) -> Rung:
        """All layers in integers, with ranges other than those of the first step."""
        made = self._made(())
        if self.settings.equalised:
            return Rung("int8, static, channels equalised", *made)
        if self.settings.ranges == "percentile":
            return Rung("int8, static, percentile ranges (0.01 % clipped)", *made)
        return Rung("int8, static, least-squares ranges", *made)

    def _made(self, kept: Collection[str]) -> tuple[onnx.ModelProto, dict[str, Any]]:
        """The graph in which all layers but those of ``kept`` are integers, and what is to be said of it."""
        graph = self.quantiser.quantised(self._integers(kept), self.settings)
        return graph, self._details(graph, kept)

    def _corrected(self, kept: Collection[str]) -> tuple[onnx.ModelProto, dict[str, Any]]:
        """The same with corrected biases of the convolutions."""
        layers = self._integers(kept)
        static = [name for name in layers if name in self.quantiser.plan.static]
        images = self.squares.calibration[:_CORRECTED]
        with progress_task("Correcting biases", total=len(static)) as task:
            graph = bias.corrected(
                self.quantiser.network(self.settings),
                self.quantiser.raw(layers, self.settings),
                static,
                images,
                self.threads,
                task.advance,
            )
        graph = self.quantiser.centred(graph)
        return graph, self._details(graph, kept) | {"biases_corrected": len(static)}

    def _trained(self, kept: Collection[str]) -> tuple[onnx.ModelProto, dict[str, Any]] | None:
        """The same, trained; None if PyTorch lacks one of its operators, or no epoch moves answers less."""
        from eyebright.compression.int8.qat import RoundedNetwork
        from eyebright.onnx_torch.reader import UnreadableError

        layers, network = self._integers(kept), self.quantiser.network(self.settings)
        rounded = self.quantiser.raw(layers, self.settings)
        best, least = None, self.quantiser.cost(self.quantiser.centred(rounded))
        try:
            learner = RoundedNetwork(network, rounded, layers)
        except UnreadableError:
            # The formats that hold int8 do without PyTorch, so this is no error of theirs.
            return None
        images = self.squares.calibration
        text = translate("Quantisation-aware training")
        with progress().task(text, total=_EPOCHS * len(images)) as task:
            for epoch in range(_EPOCHS):
                learner.epoch(images, epoch, task.advance)
                changed = network.with_constants(learner.constants())
                graph = self.quantiser.centred(self.quantiser.raw_of(changed, layers, self.settings))
                if (cost := self.quantiser.cost(graph)) < least:
                    best, least = (graph, epoch + 1), cost
        return best and (best[0], self._details(best[0], kept) | {"epochs": best[1]})

    def _integers(self, kept: Collection[str]) -> list[str]:
        return [name for name in self.quantiser.plan.layers if name not in set(kept)]

    def _details(self, graph: onnx.ModelProto, kept: Collection[str]) -> dict[str, Any]:
        layers, plan = set(self._integers(kept)), self.quantiser.plan
        return {
            "calibration_images": len(self.squares.calibration),
            "ranges": self.settings.ranges if plan.static else None,
            "equalised": self.settings.equalised,
            "static_layers": len(layers.intersection(plan.static)),
            "dynamic_layers": len(layers.intersection(plan.dynamic)),
            "kept_float": [self.quantiser.described(name) for name in kept],
            "training_difference": round(self.quantiser.cost(graph), 6),
        }

    def _best_settings(self) -> tuple[Settings, Settings]:
        """Those that move the answers to the held-out images least, of all and of those not tried yet."""
        layers, costs = self.quantiser.plan.layers, {}
        candidates = (self.settings, *_TRIED)
        with progress_task("Comparing quantisation ranges", total=len(candidates)) as task:
            for settings in candidates:
                costs[settings] = self.quantiser.cost(self.quantiser.quantised(layers, settings))
                task.advance()
        return min(costs, key=costs.__getitem__), min(_TRIED, key=costs.__getitem__)

    def _sensitive(self) -> Iterator[Sequence[str]]:
        """Layers to keep in float, more each time: those that do the stated shares of all harm."""
        candidates = sensitivity.groups(self.quantiser.plan.layers)
        harms = np.array(self._harms(candidates))
        order = np.argsort(harms)[::-1]
        shares = np.cumsum(harms[order]) / (harms.sum() or 1)
        for share in _SHARES:
            chosen = order[: int(np.searchsorted(shares, share)) + 1]
            yield [name for place in sorted(chosen) for name in candidates[place]]

    def _harms(self, candidates: Sequence[Sequence[str]]) -> list[float]:
        images = self.squares.held_out[:_BLAMED]
        text = translate("Measuring the sensitivity of layers")
        with progress().task(text, total=len(candidates)) as task:
            before: FloatArray = self.quantiser.logits(self.quantiser.network(self.settings).graph, images)
            harms = []
            for layers in candidates:
                after = self.quantiser.logits(self.quantiser.raw(layers, self.settings), images)
                harms.append(sensitivity.scattered(before, after))
                task.advance()
        return harms

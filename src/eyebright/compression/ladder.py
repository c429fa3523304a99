"""The ladder to int8: steps that each keep more accuracy and take more work than the one before."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, get_args

import numpy as np
import onnx

from eyebright.compression import bias, calibration, quantise, sensitivity
from eyebright.compression.calibration import Activations, Method, Range, Squares
from eyebright.compression.network import Network, aligned
from eyebright.compression.plan import Plan, plan
from eyebright.compression.rung import Rung
from eyebright.language import translate
from eyebright.runtime.progress import Progress
from eyebright.sealed.parts import SQUARES, between
from eyebright.types import FloatArray, Lang, UInt8Array

_COUNTED = 60  # images for histograms: each holds tens of millions of activations
_CORRECTED = 40  # for bias correction
_BLAMED = 24  # for finding the sensitive layers
_SHARES = (0.5, 0.8)  # of the harm that the layers kept in float do


class Int8Ladder:
    """Quantises one network, better and better.

    Args:
        network: in float32.
        squares: the user's training images.
        threads: of a session.
        progress: is told what takes time.
        lang: in which.
    """

    def __init__(
        self, network: Network, squares: Squares, threads: int, progress: Progress, lang: Lang
    ) -> None:
        self.network = aligned(network)
        self.plan: Plan = plan(self.network)
        self.squares = squares
        self.threads = threads
        self.progress = progress
        self.lang: Lang = lang
        self.method: Method = "minmax"
        self.ranges: dict[str, Range] = {}

    def rungs(self) -> Iterator[Rung]:
        """The steps, one after the other; each is computed when it is asked for."""
        if not self.plan.static:
            yield Rung("int8, dynamic, for products with weights", *self._made(()))
            for layers in self._sensitive():
                yield Rung("int8, the most sensitive layers in float", *self._made(layers))
            return
        self.ranges = self.activations.ranges("minmax")
        if self.plan.dynamic:
            yield Rung("int8, static for convolutions, dynamic for products with weights", *self._made(()))
        else:
            yield Rung("int8, static, ranges from the smallest to the largest value", *self._made(()))
        self.method = self._best_ranges()
        if self.method == "percentile":
            yield Rung("int8, static, ranges without the outermost 0.01 % of values", *self._made(()))
        elif self.method == "error":
            yield Rung("int8, static, ranges of the least squared error", *self._made(()))
        kept: Sequence[str] = ()
        for kept in self._sensitive():
            yield Rung("int8, the most sensitive layers in float", *self._made(kept))
        yield Rung("int8, the most sensitive layers in float, biases corrected", *self._corrected(kept))

    @cached_property
    def activations(self) -> Activations:
        """The extremes of all activations on the calibration images."""
        images = self.squares.calibration
        with self.progress.task(translate("Calibrating", self.lang), total=len(images)) as task:
            return calibration.observe(self.network, images, self.threads, task.advance)

    @cached_property
    def float_answers(self) -> FloatArray:
        """The float network's answers to the held-out images."""
        return self._answers(self.network.graph, self.squares.held_out)

    def quantised(self, layers: Collection[str]) -> onnx.ModelProto:
        """The sealed graph in which these layers are integers."""
        static = [name for name in self.plan.static if name in layers]
        products = [name for name in self.plan.dynamic if name in layers]
        graph = self.network.graph
        if static:
            graph = quantise.static(self.network, self.ranges, static, self.plan.kinds)
        if products:
            graph = quantise.dynamic(self.network.with_graph(graph), products)
        return graph

    def _made(self, kept: Collection[str]) -> tuple[onnx.ModelProto, dict[str, Any]]:
        """The graph in which all layers but those of ``kept`` are integers, and what is to be said of it."""
        graph = self.quantised(self._integers(kept))
        return graph, self._details(graph, kept)

    def _corrected(self, kept: Collection[str]) -> tuple[onnx.ModelProto, dict[str, Any]]:
        """The same with corrected biases."""
        layers = self._integers(kept)
        static = [name for name in layers if name in self.plan.static]
        images = self.squares.calibration[:_CORRECTED]
        with self.progress.task(translate("Correcting biases", self.lang), total=len(static)) as task:
            graph = bias.corrected(
                self.network, self.quantised(layers), static, images, self.threads, task.advance
            )
        return graph, self._details(graph, kept) | {"biases_corrected": len(static)}

    def _integers(self, kept: Collection[str]) -> list[str]:
        return [name for name in (*self.plan.static, *self.plan.dynamic) if name not in set(kept)]

    def _details(self, graph: onnx.ModelProto, kept: Collection[str]) -> dict[str, Any]:
        layers = set(self._integers(kept))
        return {
            "calibration_images": len(self.squares.calibration),
            "ranges": self.method if self.plan.static else None,
            "static_layers": len(layers.intersection(self.plan.static)),
            "dynamic_layers": len(layers.intersection(self.plan.dynamic)),
            "kept_float": [self._described(name) for name in kept],
            "training_difference": round(self._cost(graph), 6),
        }

    def _best_ranges(self) -> Method:
        """The way to ranges that moves the answers to the held-out images least; ``ranges`` are then its."""
        images = self.squares.calibration[:_COUNTED]
        self.progress.say(translate("Comparing other ranges", self.lang))
        calibration.count(self.network, self.activations, images, self.threads)
        tried: dict[Method, dict[str, Range]] = {
            method: self.activations.ranges(method) for method in get_args(Method)
        }
        costs: dict[Method, float] = {}
        for method, ranges in tried.items():
            self.ranges = ranges
            costs[method] = self._cost(self.quantised((*self.plan.static, *self.plan.dynamic)))
        best = min(costs, key=lambda method: costs[method])
        self.ranges = tried[best]
        return best

    def _sensitive(self) -> Iterator[Sequence[str]]:
        """Layers to keep in float, more each time: those that do the stated shares of all harm."""
        candidates = sensitivity.groups((*self.plan.static, *self.plan.dynamic))
        images = self.squares.held_out[:_BLAMED]
        text = translate("Finding sensitive layers", self.lang)
        with self.progress.task(text, total=len(candidates)) as task:
            before = self.float_answers[: len(images)]
            harms = sensitivity.blame(
                lambda layers: self._on_squares(self.quantised(layers)),
                candidates,
                images,
                before,
                self.threads,
                task.advance,
            )
        order = np.argsort(harms)[::-1]
        shares = np.cumsum(np.array(harms)[order]) / (sum(harms) or 1)
        for share in _SHARES:
            chosen = order[: int(np.searchsorted(shares, share)) + 1]
            yield [name for place in sorted(chosen) for name in candidates[place]]

    def _on_squares(self, graph: onnx.ModelProto) -> onnx.ModelProto:
        return between(graph, SQUARES, self.network.size)

    def _answers(self, graph: onnx.ModelProto, squares: UInt8Array) -> FloatArray:
        return sensitivity.probabilities(self._on_squares(graph), squares, self.threads)

    def _cost(self, graph: onnx.ModelProto) -> float:
        """How far a graph moves the answers to the held-out images."""
        return sensitivity.moved(self.float_answers, self._answers(graph, self.squares.held_out))

    def _described(self, layer: str) -> str:
        """A layer by what it writes, which other tools show too."""
        (node,) = (node for node in self.network.members if node.name == layer)
        return f"{node.op_type} {node.output[0]}"

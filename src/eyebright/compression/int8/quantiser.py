"""One network in integers, with any choice of layers and ranges; what is measured once is kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx

from eyebright.compression.graph import head_correction as head
from eyebright.compression.graph.integer_pooling import pooled_in_integers
from eyebright.compression.graph.pad_channels import widened
from eyebright.compression.graph.shrink_file import slim
from eyebright.compression.int8 import calibration, quantise
from eyebright.compression.int8 import channel_equalisation as equalise
from eyebright.compression.int8.calibration import Activations, Method, Range, Squares, answers
from eyebright.compression.int8.layer_selection import Plan, plan
from eyebright.compression.int8.sensitivity import moved, probabilities
from eyebright.compression.network import Network, aligned
from eyebright.runtime.context import progress_task
from eyebright.sealed.subgraphs import SQUARES, between
from eyebright.types import FloatArray, UInt8Array

_COUNTED = 60  # images for histograms: each holds tens of millions of activations
_CENTRED = 100  # images for the features' means


@dataclass(frozen=True)
class Settings:
    """How ranges are chosen.

    Attributes:
        ranges: the method.
        equalised: whether the channels of a map are scaled to equal peaks first.
    """

    ranges: Method
    equalised: bool = False


class Quantiser:
    """Quantises one network.

    Args:
        network: in float32.
        squares: the user's training images.
        threads: of a session.
    """

    def __init__(self, network: Network, squares: Squares, threads: int) -> None:
        self.plan: Plan = plan(network)
        self.squares = squares
        self.threads = threads
        self._networks = {False: aligned(network)}
        self._activations: dict[bool, Activations] = {}

    def network(self, settings: Settings) -> Network:
        """The float network that is quantised."""
        if settings.equalised not in self._networks:
            plain = self._networks[False]
            found = equalise.peaks(plain, self.squares.calibration, self.threads)
            self._networks[True] = equalise.equalised(plain, found)
        return self._networks[settings.equalised]

    def quantised(self, layers: Collection[str], settings: Settings) -> onnx.ModelProto:
        """The sealed graph in which these layers are integers, and the head takes the mean shift back."""
        return self.centred(self.raw(layers, settings))

    def raw(self, layers: Collection[str], settings: Settings) -> onnx.ModelProto:
        """The same with the head as it was."""
        return self.raw_of(self.network(settings), layers, settings)

    def raw_of(self, network: Network, layers: Collection[str], settings: Settings) -> onnx.ModelProto:
        """The same of a network that differs from that of the settings in its weights alone."""
        static = [name for name in self.plan.static if name in layers]
        products = [name for name in self.plan.dynamic if name in layers]
        graph = network.graph
        if static:
            graph = quantise.static(network, self._ranges(settings), static, self.plan.kinds)
        if products:
            graph = quantise.dynamic(network.with_graph(graph), products)
        return graph

    def centred(self, graph: onnx.ModelProto) -> onnx.ModelProto:
        """A quantised graph, made quick, whose head takes back by how much the features' means moved."""
        graph = slim(pooled_in_integers(widened(graph), self._networks[False].ends))
        return head.centred(graph, self._mean_features(graph) - self._float_features)

    def cost(self, graph: onnx.ModelProto) -> float:
        """How far a graph moves the probabilities of the held-out images, in the mean."""
        return moved(self._float_answers, self._answers(graph))

    def logits(self, graph: onnx.ModelProto, squares: UInt8Array) -> FloatArray:
        """Logits (N, K) of a sealed graph on squares (N, S, S, 3)."""
        ending = head.logits_graph(graph, self._networks[False].size)
        return np.stack([row for (row,) in answers(ending, squares, self.threads)])

    def described(self, layer: str) -> str:
        """A layer by its kind and by what it writes, which other tools show too."""
        (node,) = (node for node in self._networks[False].members if node.name == layer)
        return f"{node.op_type} {node.output[0]}"

    def _ranges(self, settings: Settings) -> dict[str, Range]:
        network = self.network(settings)
        if settings.equalised not in self._activations:
            images = self.squares.calibration
            with progress_task("Calibrating", total=len(images)) as task:
                found = calibration.observe(network, images, self.threads, task.advance)
            self._activations[settings.equalised] = found
        found = self._activations[settings.equalised]
        if settings.ranges != "minmax" and not found.histograms:
            calibration.count(network, found, self.squares.calibration[:_COUNTED], self.threads)
        return found.ranges(settings.ranges)

    @cached_property
    def _float_features(self) -> FloatArray:
        return self._mean_features(self._networks[False].graph)

    @cached_property
    def _float_answers(self) -> FloatArray:
        return self._answers(self._networks[False].graph)

    def _mean_features(self, graph: onnx.ModelProto) -> FloatArray:
        images = self.squares.calibration[:_CENTRED]
        return head.mean_features(graph, self._networks[False].size, images, self.threads)

    def _answers(self, graph: onnx.ModelProto) -> FloatArray:
        part = between(graph, SQUARES, self._networks[False].size)
        return probabilities(part, self.squares.held_out, self.threads)

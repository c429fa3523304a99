"""One backbone in integers, with any choice of layers and ranges; measurements are made once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import onnx

from eyebright.compression.backbone import SealedBackbone, align_input
from eyebright.compression.graph.head_correction import correct_head, logits_graph, mean_features
from eyebright.compression.graph.integer_pooling import pool_in_integers
from eyebright.compression.graph.pad_channels import pad_channels
from eyebright.compression.graph.shrink_file import shrink_file
from eyebright.compression.int8.calibration import (
    Activations,
    CalibrationImages,
    Method,
    Range,
    count_histograms,
    observe_ranges,
    run_images,
)
from eyebright.compression.int8.channel_equalisation import channel_peaks, equalise_channels
from eyebright.compression.int8.layer_selection import QuantisationPlan, plan_quantisation
from eyebright.compression.int8.quantise import quantise_dynamic, quantise_static
from eyebright.runtime.context import progress_task
from eyebright.sealed.subgraphs import RESIZED, subgraph_from
from eyebright.types import FloatArray, UInt8Array

_HISTOGRAM_IMAGES = 60  # each holds tens of millions of activations
_MEAN_IMAGES = 100  # for the features' means


@dataclass(frozen=True)
class RangeSettings:
    """How the ranges of activations are chosen.

    Attributes:
        ranges: the method.
        equalised: whether the channels of a map are scaled to equal peaks first.
    """

    ranges: Method
    equalised: bool = False


class Quantiser:
    """Quantise one backbone.

    Args:
        backbone: in float32.
        images: the user's training images.
        threads: of a session.
    """

    def __init__(self, backbone: SealedBackbone, images: CalibrationImages, threads: int) -> None:
        self.plan: QuantisationPlan = plan_quantisation(backbone)
        self.images = images
        self.threads = threads
        self._aligned = align_input(backbone)
        self._activations: dict[bool, Activations] = {}

    def backbone(self, settings: RangeSettings) -> SealedBackbone:
        """Return the float backbone that is quantised."""
        return self._equalised if settings.equalised else self._aligned

    def quantised(self, layers: Collection[str], settings: RangeSettings) -> onnx.ModelProto:
        """Return the sealed graph in which these layers are integers, with a corrected head."""
        return self.finished(self.raw(self.backbone(settings), layers, settings))

    def raw(
        self, backbone: SealedBackbone, layers: Collection[str], settings: RangeSettings
    ) -> onnx.ModelProto:
        """Return the sealed graph in which these layers are integers, with the head as it was.

        Args:
            backbone: that of the settings, or one that differs from it in its weights alone.
            layers: names of the layers to quantise.
            settings: of the ranges.
        """
        static = [name for name in self.plan.static if name in layers]
        products = [name for name in self.plan.dynamic if name in layers]
        graph = backbone.graph
        if static:
            graph = quantise_static(backbone, self._ranges(settings), static, self.plan.kinds)
        if products:
            graph = quantise_dynamic(backbone.with_graph(graph), products)
        return graph

    def finished(self, graph: onnx.ModelProto) -> onnx.ModelProto:
        """Make a quantised graph fast and small, and let its head take back the features' mean shift."""
        graph = shrink_file(pool_in_integers(pad_channels(graph), self._aligned.ends))
        return correct_head(graph, self._mean_features(graph) - self._float_features)

    def cost(self, graph: onnx.ModelProto) -> float:
        """Return the mean change of a probability of the holdout images."""
        return float(np.abs(self._probabilities(graph) - self._float_probabilities).mean())

    def logits(self, graph: onnx.ModelProto, images: UInt8Array) -> FloatArray:
        """Return the logits (N, K) of a sealed graph on resized images (N, S, S, 3)."""
        ending = logits_graph(graph, self._aligned.size)
        return np.stack([row for (row,) in run_images(ending, images, self.threads)])

    def describe(self, layer: str) -> str:
        """Describe a layer by its operator and its output, which other tools show too."""
        (node,) = (node for node in self._aligned.members if node.name == layer)
        return f"{node.op_type} {node.output[0]}"

    def _ranges(self, settings: RangeSettings) -> dict[str, Range]:
        backbone = self.backbone(settings)
        images = self.images.calibration
        if settings.equalised not in self._activations:
            with progress_task("Calibrating", total=len(images)) as task:
                observed = observe_ranges(backbone, images, self.threads, task.advance)
            self._activations[settings.equalised] = observed
        found = self._activations[settings.equalised]
        if settings.ranges != "minmax" and not found.histograms:
            count_histograms(backbone, found, images[:_HISTOGRAM_IMAGES], self.threads)
        return found.ranges(settings.ranges)

    @cached_property
    def _equalised(self) -> SealedBackbone:
        peaks = channel_peaks(self._aligned, self.images.calibration, self.threads)
        return equalise_channels(self._aligned, peaks)

    @cached_property
    def _float_features(self) -> FloatArray:
        return self._mean_features(self._aligned.graph)

    @cached_property
    def _float_probabilities(self) -> FloatArray:
        return self._probabilities(self._aligned.graph)

    def _mean_features(self, graph: onnx.ModelProto) -> FloatArray:
        images = self.images.calibration[:_MEAN_IMAGES]
        return mean_features(graph, self._aligned.size, images, self.threads)

    def _probabilities(self, graph: onnx.ModelProto) -> FloatArray:
        part = subgraph_from(graph, RESIZED, self._aligned.size)
        return np.stack([row[0] for (row,) in run_images(part, self.images.holdout, self.threads)])

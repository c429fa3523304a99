"""The sealed graph of anomaly detection: raw pixels in, probabilities, score and map of anomalies out.

The graph's features are the distances of the places, and of the whole image, to what good images look like:
they are few, so they are cached as the features of other models are, and all that follows is in the second
half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from eyebright.backbones.backbone import Backbone
from eyebright.backbones.graph import assemble, normalise
from eyebright.onnx_graph.builder import GraphBuilder
from eyebright.sealed.graph import ANOMALY_MAP, ANOMALY_SCORE, INPUT, OUTPUT, resize
from eyebright.sealed.subgraphs import FEATURES
from eyebright.training.anomaly.detector import TINY, ImageDetector, PlaceDetector
from eyebright.training.anomaly.material import Detectors
from eyebright.training.anomaly.patches import PATCHES, PatchMaps, sealed_patches
from eyebright.training.anomaly.scores import ScoreRule, ScoreScale, Standard


@dataclass(frozen=True)
class AnomalyScoring:
    """All that turns patch features into the score.

    Attributes:
        maps: that the patch features come from.
        detectors: of places and of the whole image.
        highest: how many of the most unusual places are averaged.
        rule: how distances become comparable.
        scale: where the limit is.
    """

    maps: PatchMaps
    detectors: Detectors
    highest: int
    rule: ScoreRule
    scale: ScoreScale


def anomaly_graph(backbone: Backbone, scoring: AnomalyScoring) -> onnx.ModelProto:
    """Build the graph `images` uint8 (B, H, W, 3) → the outputs, for any H and W.

    These are `probabilities` float32 (B, 2) of good and anomaly, `anomaly_score` float32 (B,), 1 at the
    limit, and `anomaly_map` float32 (B, S, S) in the same unit, laid over the whole image.

    Args:
        backbone: whose maps are joined.
        scoring: of the patch features.
    """
    maps, rule = scoring.maps, scoring.rule
    size = maps.preprocessing.size
    before, after = GraphBuilder(), GraphBuilder()
    channels_first = before.node("Transpose", [INPUT], "images_nchw", perm=[0, 3, 1, 2])
    floats = before.node("Cast", [channels_first], "images_float", to=TensorProto.FLOAT)
    normalise(before, resize(before, floats, maps.preprocessing), maps.preprocessing)
    sealed_patches(after, backbone, maps)
    after.constant("channel_axis", np.array([1], np.int64))
    after.constant("place_axis", np.array([2], np.int64))
    after.constant("tiny", np.array(TINY, np.float32))
    parts = [_place_distances(after, scoring.detectors.places)]
    if rule.whole is not None:
        parts.append(_whole_distance(after, scoring.detectors.whole))
    after.node("Concat", parts, FEATURES, axis=1)
    _score(after, scoring)
    _map(after, scoring)
    images = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["B", "H", "W", 3])
    outputs = [
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["B", 2]),
        helper.make_tensor_value_info(ANOMALY_SCORE, TensorProto.FLOAT, ["B"]),
        helper.make_tensor_value_info(ANOMALY_MAP, TensorProto.FLOAT, ["B", size, size]),
    ]
    return assemble(backbone.model(size), before, after, images, outputs)


def _place_distances(builder: GraphBuilder, detector: PlaceDetector) -> str:
    """Add the distances (B, P) of the places to the nearest of the stored points."""
    shift = builder.constant("place_shift", detector.shift[:, None].astype(np.float32))
    scale = builder.constant("place_scale", np.ascontiguousarray(detector.scale.T, np.float32))
    moved = builder.node("Sub", [PATCHES, shift], "places_moved")
    rows = builder.node("MatMul", [scale, moved], "places_scaled")
    if detector.by_place:
        means = builder.constant("place_means", np.ascontiguousarray(detector.points.T, np.float32))
        rows = builder.node("Sub", [rows, means], "places_centred")
    squared = builder.node("Mul", [rows, rows], "places_squared")
    squares = builder.node("ReduceSum", [squared, "channel_axis"], "place_squares", keepdims=0)
    if not detector.by_place:
        points = builder.constant("bank", (-2 * detector.points).astype(np.float32))
        lengths = np.square(detector.points).sum(axis=1, keepdims=True).astype(np.float32)
        offsets = builder.constant("bank_squares", lengths)
        products = builder.node("MatMul", [points, rows], "bank_products")
        apart = builder.node("Add", [products, offsets], "bank_apart")
        nearest = builder.node("ReduceMin", [apart, "channel_axis"], "bank_nearest", keepdims=0)
        squares = builder.node("Add", [squares, nearest], "place_squares_apart")
    zero = builder.constant("no_distance", np.array(0, np.float32))
    positive = builder.node("Max", [squares, zero], "place_squares_positive")
    return builder.node("Sqrt", [positive], "place_distances")


def _whole_distance(builder: GraphBuilder, detector: ImageDetector) -> str:
    """Add the distance (B, 1) of the mean and the standard deviation of the places."""
    mean = builder.node("ReduceMean", [PATCHES, "place_axis"], "whole_mean", keepdims=1)
    centred = builder.node("Sub", [PATCHES, mean], "whole_centred")
    squared = builder.node("Mul", [centred, centred], "whole_squared")
    variance = builder.node("ReduceMean", [squared, "place_axis"], "whole_variance", keepdims=0)
    deviation = builder.node("Sqrt", [variance], "whole_deviation")
    middle = builder.node("Squeeze", [mean, "place_axis"], "whole_middle")
    summary = builder.node("Concat", [middle, deviation], "whole_summary", axis=1)
    shift = builder.constant("whole_shift", detector.shift[None].astype(np.float32))
    scale = builder.constant("whole_scale", detector.scale.astype(np.float32))
    moved = builder.node("Sub", [summary, shift], "whole_moved")
    rows = builder.node("MatMul", [moved, scale], "whole_scaled")
    squares = builder.node("Mul", [rows, rows], "whole_squares")
    total = builder.node("ReduceSum", [squares, "channel_axis"], "whole_square", keepdims=1)
    return builder.node("Sqrt", [total], "whole_distance")


def _score(builder: GraphBuilder, scoring: AnomalyScoring) -> None:
    """Add the score and the probabilities, from the features alone."""
    rule, scale, places = scoring.rule, scoring.scale, scoring.maps.places
    first = builder.constant("features_first", np.array([0], np.int64))
    end = builder.constant("features_end", np.array([places], np.int64))
    distances = builder.node("Slice", [FEATURES, first, end, "channel_axis"], "scored_places")
    if scoring.highest > 1:
        count = builder.constant("highest_count", np.array([scoring.highest], np.int64))
        names = ["highest_places", "highest_numbers"]
        builder.nodes.append(
            helper.make_node("TopK", [distances, count], names, name="highest_topk", axis=1, sorted=0)
        )
        distances = builder.node("ReduceMean", [names[0], "channel_axis"], "highest_mean", keepdims=0)
    else:
        distances = builder.node("ReduceMax", [distances, "channel_axis"], "highest_mean", keepdims=0)
    unusual = _standardised(builder, distances, rule.places, "places_unusual")
    if rule.whole is not None:
        last = builder.constant("features_last", np.array([places + 1], np.int64))
        column = builder.node("Slice", [FEATURES, end, last, "channel_axis"], "scored_whole")
        whole = builder.node("Squeeze", [column, "channel_axis"], "scored_distance")
        other = _standardised(builder, whole, rule.whole, "whole_unusual")
        unusual = builder.node("Max", [unusual, other], "unusual")
    above = _above(builder, unusual, scale, "score_above")
    one = builder.constant("score_one", np.array(1, np.float32))
    builder.node("Add", [above, one], ANOMALY_SCORE)
    slope = builder.constant("score_slope", np.array(scale.slope, np.float32))
    odds = builder.node("Mul", [above, slope], "score_odds")
    column = builder.node("Unsqueeze", [odds, "channel_axis"], "score_column")
    anomaly = builder.node("Sigmoid", [column], "anomaly_probability")
    good = builder.node("Sub", [one, anomaly], "good_probability")
    builder.node("Concat", [good, anomaly], OUTPUT, axis=1)


def _map(builder: GraphBuilder, scoring: AnomalyScoring) -> None:
    """Add the map of anomalies, in the unit of the score."""
    grid, size = scoring.maps.grid, scoring.maps.preprocessing.size
    unusual = _standardised(builder, "place_distances", scoring.rule.places, "map_unusual")
    above = _above(builder, unusual, scoring.scale, "map_above")
    scores = builder.node("Add", [above, "score_one"], "map_scores")
    shape = builder.constant("map_shape", np.array([-1, 1, grid, grid], np.int64))
    cells = builder.node("Reshape", [scores, shape], "map_cells")
    sides = builder.constant("map_sides", np.array([size, size], np.int64))
    pixels = builder.node("Resize", [cells, "", "", sides], "map_pixels", mode="linear", axes=[2, 3])
    builder.node("Squeeze", [pixels, "channel_axis"], ANOMALY_MAP)


def _standardised(builder: GraphBuilder, distances: str, standard: Standard, name: str) -> str:
    """Add distances in spreads above what is usual."""
    positive = builder.node("Max", [distances, "tiny"], f"{name}_positive")
    logs = builder.node("Log", [positive], f"{name}_logs")
    centre = builder.constant(f"{name}_centre", np.array(standard.centre, np.float32))
    moved = builder.node("Sub", [logs, centre], f"{name}_moved")
    spread = builder.constant(f"{name}_spread", np.array(standard.spread, np.float32))
    return builder.node("Div", [moved, spread], name)


def _above(builder: GraphBuilder, unusual: str, scale: ScoreScale, name: str) -> str:
    """Add how far above the limit values are, in units of the score."""
    limit = builder.constant(f"{name}_limit", np.array(scale.limit, np.float32))
    moved = builder.node("Sub", [unusual, limit], f"{name}_moved")
    unit = builder.constant(f"{name}_unit", np.array(scale.unit, np.float32))
    return builder.node("Div", [moved, unit], name)

"""Int8: integer kernels that run, ranges, sensitive layers, corrected biases; on real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from eyebright.compression.backbone import SealedBackbone, prepare_backbone
from eyebright.compression.candidate import QuantisationCandidate, to_float16
from eyebright.compression.int8.calibration import CalibrationImages, _least_error, _percentile
from eyebright.compression.int8.kernels import onnx_kernels
from eyebright.compression.int8.quantiser import Quantiser, RangeSettings
from eyebright.compression.int8.search import Int8Search, layer_groups, scatter
from eyebright.data.decode import load_square
from eyebright.runs.run import Run
from eyebright.sealed.model import SealedModel


@pytest.fixture(scope="module")
def backbone(textile_run: Run) -> SealedBackbone:
    model = SealedModel(textile_run.model)
    layers = model.card.feature_layers
    return prepare_backbone(onnx.load(textile_run.model), layers, model.size)


@pytest.fixture(scope="module")
def images(textile: Path, backbone: SealedBackbone) -> CalibrationImages:
    files = sorted((textile / "train").rglob("*.jpg"))
    order = np.random.default_rng(0).permutation(len(files))
    read = np.stack([load_square(files[i], backbone.size, "bicubic") for i in order])
    return CalibrationImages(read[16:], read[:16])


@pytest.fixture(scope="module")
def candidates(backbone: SealedBackbone, images: CalibrationImages) -> list[QuantisationCandidate]:
    return list(Int8Search(backbone, images, 1).candidates())


def test_every_convolution_runs_in_integers(
    candidates: list[QuantisationCandidate], backbone: SealedBackbone
):
    convolutions = sum(node.op_type == "Conv" for node in backbone.members)
    found = onnx_kernels(candidates[0].graph, backbone.size)
    assert found.integer_kernels == convolutions
    assert found.float_kernels == 2  # the head, and the score of what is unknown
    assert 0 < found.integer_share <= 1


def test_the_float_graph_has_no_integer_kernels(backbone: SealedBackbone):
    found = onnx_kernels(backbone.graph, backbone.size)
    assert found.integer_kernels == 0
    assert found.float_kernels > 10


def test_each_rung_says_what_it_did_and_moves_answers_little(candidates: list[QuantisationCandidate]):
    assert (
        len({candidate.summary for candidate in candidates}) == len(candidates) - 1
    )  # sensitive layers come twice
    assert [candidate for candidate in candidates if "sensitive" in candidate.summary][-1].details[
        "biases_corrected"
    ]
    for candidate in candidates:
        assert candidate.details["training_difference"] < 0.05
        assert candidate.details["calibration_images"] == 56
    kept = [len(candidate.details["kept_float"]) for candidate in candidates]
    assert kept == sorted(kept)
    assert kept[0] == 0 < kept[-1]


def test_layers_kept_in_float_run_in_float(candidates: list[QuantisationCandidate], backbone: SealedBackbone):
    candidate = next(candidate for candidate in candidates if candidate.details["kept_float"])
    found = onnx_kernels(candidate.graph, backbone.size)
    kept = len(candidate.details["kept_float"])
    # Between two integer layers ONNX Runtime makes integers of one by itself.
    assert 2 < found.float_kernels <= 2 + kept
    assert found.integer_kernels >= candidate.details["static_layers"]


def test_weights_are_a_quarter_of_float32(candidates: list[QuantisationCandidate], backbone: SealedBackbone):
    weights = sum(v.nbytes for v in backbone.constants.values())
    assert len(candidates[0].graph.SerializeToString()) < 0.25 * weights + 200_000


def test_the_head_takes_the_features_shift_back(backbone: SealedBackbone, images: CalibrationImages):
    quantiser = Quantiser(backbone, images, 1)
    settings = RangeSettings("minmax")
    layers = quantiser.plan.layers
    graphs = (
        backbone.graph,
        quantiser.raw(quantiser.backbone(settings), layers, settings),
        quantiser.quantised(layers, settings),
    )
    logits = [quantiser.logits(graph, images.calibration).mean(axis=0) for graph in graphs]
    assert np.abs(logits[2] - logits[0]).max() < 0.5 * np.abs(logits[1] - logits[0]).max()


def test_float16_keeps_its_ends_in_float32(backbone: SealedBackbone, images: CalibrationImages):
    candidate = to_float16(backbone)
    kinds = {tensor.name: tensor.data_type for tensor in candidate.graph.graph.initializer}
    assert kinds["sealed_weights"] == onnx.TensorProto.FLOAT
    assert kinds["scale"] == onnx.TensorProto.FLOAT
    sixteen = [name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT16]
    assert len(sixteen) > 20
    assert Quantiser(backbone, images, 1).cost(candidate.graph) < 0.01


def test_outliers_are_cut_off_where_that_costs_less():
    counts = np.zeros(2048, np.int64)
    counts[:100] = 10_000
    counts[-1] = 1
    low, high = _percentile(counts, 0.0, 100.0)
    assert low == 0
    assert high < 10
    low, high = _least_error(counts, 0.0, 100.0)
    assert low == 0
    assert high < 100
    even = np.full(2048, 1000, np.int64)
    assert _least_error(even, 0.0, 1.0)[1] > 0.98


def test_what_moves_all_images_alike_is_not_blamed():
    before = np.random.default_rng(0).normal(size=(8, 3))
    assert scatter(before, before + np.array([1.0, -2.0, 0.5])) < 1e-12
    assert scatter(before, before + np.arange(8)[:, None]) > 1


def test_many_layers_are_blamed_in_groups_of_neighbours():
    names = [str(i) for i in range(100)]
    found = layer_groups(names)
    assert len(found) <= 40
    assert [name for group in found for name in group] == names
    assert layer_groups(names[:5]) == [("0",), ("1",), ("2",), ("3",), ("4",)]

"""What every engine that this machine can run must do, whichever it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.data.decode import to_square
from eyebright.engines.base import Engine
from eyebright.engines.batches import Batches
from eyebright.engines.choose import disagreement, make, makers, race
from eyebright.runtime.context import showing
from eyebright.runtime.machine import instruction_sets
from eyebright.training.linear_probe.features import graph_bytes, training_preprocessing
from eyebright.types import FloatArray, UInt8Array

SIDE = 96
TAPS = feature_layer_sets(embedded.card())["texture"]


@pytest.fixture(scope="module")
def graph() -> bytes:
    return graph_bytes(EmbeddedBackbone(), training_preprocessing(embedded.card(), SIDE), TAPS)


@pytest.fixture(scope="module")
def images(scenes) -> list[UInt8Array]:
    """Sixteen pieces of photographs."""
    pieces = [
        scene.crop((x, y, x + 150, y + 200)) for scene in scenes for x in (0, 150, 300, 450) for y in (0, 200)
    ]
    return [to_square(piece, SIDE) for piece in pieces]


@pytest.fixture(scope="module")
def reference(graph: bytes, images: list[UInt8Array]) -> FloatArray:
    """By ONNX Runtime itself, all images in one batch."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": np.stack(images)})[0]


# A GPU's engine runs on the processor, too, where nothing but its speed is missed. One without instructions
# for bfloat16 imitates them, for minutes.
PRECISIONS = ("float32", "bfloat16") if "BF16" in (instruction_sets() or ()) else ("float32",)
ON_PROCESSOR = [f"pytorch-cpu {precision}" for precision in PRECISIONS]


@pytest.fixture(scope="module", params=[*makers(), *ON_PROCESSOR])
def engine(request: pytest.FixtureRequest, graph: bytes) -> Engine:
    if request.param not in ON_PROCESSOR:
        return make(request.param, graph)
    pytest.importorskip("torch")
    from eyebright.engines.pytorch import PyTorchEngine

    return PyTorchEngine(graph, "cpu", request.param.split()[-1])


def test_its_name_is_the_one_it_was_asked_for_by(engine: Engine, graph: bytes) -> None:
    assert engine.name in [*makers(), *ON_PROCESSOR]
    assert engine.precision in ("float32", "mixed", "bfloat16", "float16")
    assert engine.name.split()[-1] == engine.precision


def test_it_gives_one_row_of_float32_an_image(engine: Engine, images) -> None:
    features = engine.run(images[0])
    assert features.shape == (width(TAPS),)
    assert features.dtype == np.float32


def test_its_features_are_those_of_onnx_runtime(engine: Engine, images, reference) -> None:
    features = np.stack([engine.run(image) for image in images])
    error = np.linalg.norm(features - reference) / np.linalg.norm(reference)
    largest = np.abs(features - reference).max() / np.abs(reference).max()
    # bfloat16 keeps 8 bits; whether that is enough is for the race to say, on the user's images.
    limit = 1e-4 if engine.precision == "float32" else 0.1
    assert error < limit
    assert largest < limit
    assert disagreement(features, reference) < (1e-4 if engine.precision == "float32" else 0.1)


def test_eight_threads_at_once_get_the_answers_of_one(engine: Engine, images) -> None:
    alone = [engine.run(image) for image in images]
    order = [i % len(images) for i in range(96)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: engine.run(images[i]), order))
    for i, features in zip(order, together, strict=True):
        np.testing.assert_array_equal(features, alone[i])


def test_an_answer_is_not_overwritten_by_the_next(engine: Engine, images) -> None:
    first = engine.run(images[0])
    kept = first.copy()
    second = engine.run(images[-1])
    np.testing.assert_array_equal(first, kept)
    assert np.abs(first - second).max() > 0.1


def test_it_takes_images_that_must_not_be_written_to(engine: Engine, images) -> None:
    frozen = images[0].copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(engine.run(frozen), engine.run(images[0]))


def test_it_takes_images_that_are_not_contiguous(engine: Engine, images) -> None:
    mirrored = images[0][:, ::-1]
    np.testing.assert_array_equal(engine.run(mirrored), engine.run(np.ascontiguousarray(mirrored)))


def test_what_a_device_refuses_reaches_whoever_waits() -> None:
    def refuse(_: UInt8Array) -> FloatArray:
        raise RuntimeError("no memory left on the device")

    batches = Batches(refuse, 4)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(batches.features, np.zeros((2, 2, 3), np.uint8)) for _ in range(8)]
    assert [str(one.exception()) for one in waiting] == ["no memory left on the device"] * 8


def test_batches_are_full_and_of_one_size(images) -> None:
    seen: list[tuple[int, ...]] = []

    def run(batch: UInt8Array) -> FloatArray:
        seen.append(batch.shape)
        return batch.reshape(len(batch), -1)[:, :5].astype(np.float32)

    batches = Batches(run, 8)
    with ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(batches.features, images))
    for image, row in zip(images, rows, strict=True):
        np.testing.assert_array_equal(row, image.reshape(-1)[:5])
    assert set(seen) == {(8, SIDE, SIDE, 3)}


def test_an_engine_that_fails_is_said_and_left_out(graph: bytes, images, monkeypatch, capsys) -> None:
    def broken(_: bytes) -> Engine:
        raise RuntimeError("CUDA driver version is insufficient")

    monkeypatch.setattr("eyebright.engines.choose.gpu_makers", lambda: {"pytorch-cuda float32": broken})
    with showing(True):
        names = [trial.name for trial in race(graph, images[:2]).trials]
    assert "onnxruntime float32" in names
    assert "pytorch-cuda float32" not in names
    assert "CUDA driver version is insufficient" in capsys.readouterr().err

"""Features are the engine's answers for the cached views, computed once for each image."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.data.decode import open_rgb
from eyebright.data.manifest import Sample
from eyebright.data.views import view
from eyebright.engines.base import Engine
from eyebright.engines.choose import make
from eyebright.errors import ConfigError, DataError
from eyebright.runtime.progress import SILENT
from eyebright.text.language import translate
from eyebright.training.linear_probe import features as module
from eyebright.training.linear_probe.features import FeatureExtractor, graph_bytes, training_preprocessing
from eyebright.types import FloatArray, Skipped, UInt8Array

SETS = feature_layer_sets(embedded.card())
TAPS = SETS["texture"]
HOW = training_preprocessing(embedded.card(), 64)
ENGINE = "onnxruntime float32"


class Counted:
    """A real engine that counts its images."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.name, self.precision = engine, engine.name, engine.precision
        self.callers = engine.callers
        self.images: Counter[bytes] = Counter()

    def run(self, image: UInt8Array) -> FloatArray:
        self.images[image.tobytes()] += 1
        return self.engine.run(image)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Counted]:
    """The engines that extractors have started, in their order."""
    engines: list[Counted] = []

    def counted(name: str, graph: bytes) -> Engine:
        engines.append(Counted(make(name, graph)))
        return engines[-1]

    monkeypatch.setattr(module, "make", counted)
    return engines


def sample(root: Path, path: str) -> Sample:
    data = (root / path).read_bytes()
    with Image.open(root / path) as image:
        return Sample(path, "any", "train", blake2b(data, digest_size=16).hexdigest(), *image.size)


@pytest.fixture
def root(tmp_path: Path, textile: Path) -> Path:
    """Six textile photographs of our own, free to be damaged."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, file in enumerate(sorted((textile / "train").rglob("*.jpg"))[::12]):
        shutil.copyfile(file, folder / f"{number}.jpg")
    return folder


@pytest.fixture
def samples(root: Path) -> list[Sample]:
    return [sample(root, file.name) for file in sorted(root.iterdir())]


def extractor(cache: Path, views: int = 1, engine: str = ENGINE) -> FeatureExtractor:
    return FeatureExtractor(cache, EmbeddedBackbone(), HOW, TAPS, engine, views)


def compute(made: FeatureExtractor, root: Path, samples: Sequence[Sample]) -> list[Skipped]:
    with SILENT.task("", len(samples)) as task:
        return made.compute(root, samples, task)


def runs(started: list[Counted]) -> int:
    return sum(engine.images.total() for engine in started)


def test_features_are_the_engines_answers_for_the_views(tmp_path: Path, root, samples) -> None:
    made = extractor(tmp_path / "cache", views=3)
    assert compute(made, root, samples) == []
    engine = make(ENGINE, graph_bytes(EmbeddedBackbone(), HOW, TAPS))
    for number in range(3):
        rows = made.read(samples, TAPS, number)
        assert rows.shape == (len(samples), width(TAPS))
        assert rows.dtype == np.float16
        for s, row in zip(samples, rows, strict=True):
            square = view(open_rgb(root / s.path, min_side=64), 64, number, s.sha, interpolation="bicubic")
            np.testing.assert_array_equal(row, engine.run(square).astype(np.float16))


def test_views_differ_and_are_kept_apart(tmp_path: Path, root, samples) -> None:
    made = extractor(tmp_path / "cache", views=3)
    compute(made, root, samples)
    plain, mirrored, cropped = (made.read(samples, TAPS, number).astype(np.float32) for number in range(3))
    assert np.abs(plain - mirrored).mean() > 1e-3
    assert np.abs(plain - cropped).mean() > 1e-3
    assert np.abs(mirrored - cropped).mean() > 1e-3
    assert len({space.folder for space in made.spaces}) == 3


def test_a_smaller_tap_set_is_read_from_the_larger(tmp_path: Path, root, samples) -> None:
    whole = FeatureExtractor(tmp_path / "cache", EmbeddedBackbone(), HOW, SETS["stages"], ENGINE, 1)
    compute(whole, root, samples)
    alone = extractor(tmp_path / "cache")
    compute(alone, root, samples)
    np.testing.assert_allclose(
        whole.read(samples, TAPS).astype(np.float32),
        alone.read(samples, TAPS).astype(np.float32),
        rtol=2e-3,
        atol=1e-3,
    )


def test_only_what_is_missing_is_computed(tmp_path: Path, root, samples, started) -> None:
    compute(extractor(tmp_path / "cache"), root, samples[:4])
    assert runs(started) == 4
    compute(extractor(tmp_path / "cache"), root, samples)
    assert runs(started) == 6
    assert max(started[1].images.values()) == 1


def test_one_more_view_computes_only_that_view(tmp_path: Path, root, samples, started) -> None:
    compute(extractor(tmp_path / "cache"), root, samples)
    compute(extractor(tmp_path / "cache", views=2), root, samples)
    assert runs(started) == 2 * len(samples)
    assert not started[0].images.keys() & started[1].images.keys()


def test_nothing_is_started_where_all_is_there(tmp_path: Path, root, samples, started) -> None:
    first = extractor(tmp_path / "cache")
    compute(first, root, samples)
    second = extractor(tmp_path / "cache")
    compute(second, root, samples)
    compute(second, root, samples[::-1])
    assert len(started) == 1
    np.testing.assert_array_equal(second.read(samples, TAPS), first.read(samples, TAPS))


def test_images_are_known_by_their_content_and_not_by_their_place(tmp_path, root, samples, started) -> None:
    compute(extractor(tmp_path / "cache"), root, samples)
    moved = root / "moved 中文"
    moved.mkdir()
    for s in samples:
        (root / s.path).rename(moved / f"new {s.path}")
    again = [sample(root, f"moved 中文/new {s.path}") for s in samples]
    compute(extractor(tmp_path / "cache"), root, again)
    assert runs(started) == len(samples)


def test_copies_are_computed_once(tmp_path: Path, root, samples, started) -> None:
    shutil.copyfile(root / samples[0].path, root / "copy.jpg")
    with_copy = [*samples, sample(root, "copy.jpg")]
    made = extractor(tmp_path / "cache")
    compute(made, root, with_copy)
    assert runs(started) == len(samples)
    rows = made.read(with_copy, TAPS)
    np.testing.assert_array_equal(rows[0], rows[-1])


def test_engines_of_another_precision_have_rows_of_their_own(tmp_path: Path) -> None:
    spaces = {extractor(tmp_path, engine=f"openvino {p}").spaces[0].folder for p in ("float32", "bfloat16")}
    assert len(spaces) == 2
    assert (
        extractor(tmp_path, engine="openvino float32").spaces[0].folder
        == extractor(tmp_path).spaces[0].folder
    )


def test_a_damaged_image_is_skipped_with_the_reason(tmp_path: Path, root, samples) -> None:
    whole = (root / samples[2].path).read_bytes()
    (root / samples[2].path).write_bytes(whole[: len(whole) // 2])
    damaged = sample(root, samples[2].path)
    given = [*samples[:2], damaged, *samples[3:]]
    made = extractor(tmp_path / "cache")
    (skipped,) = compute(made, root, given)
    assert skipped.path == damaged.path
    reason = translate(skipped.reason, **skipped.reason_values)
    assert "damaged" in reason or "truncated" in reason
    rest = [s for s in given if s is not damaged]
    assert np.isfinite(made.read(rest, TAPS)).all()
    assert bytes.fromhex(damaged.sha) not in made.spaces[0]


def test_every_copy_of_a_damaged_image_is_skipped(tmp_path: Path, root, samples) -> None:
    whole = (root / samples[0].path).read_bytes()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (root / name).write_bytes(whole[: len(whole) // 2])
    copies = [sample(root, name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    skipped = compute(extractor(tmp_path / "cache"), root, [*samples, *copies])
    assert sorted(s.path for s in skipped) == ["a.jpg", "b.jpg", "c.jpg"]


def test_what_was_computed_before_an_error_is_kept(
    tmp_path: Path, root, samples, started, monkeypatch
) -> None:
    made = extractor(tmp_path / "cache")
    true_view = view

    def failing(image, size, number, sha, **options):
        if sha == samples[-1].sha:
            raise MemoryError
        return true_view(image, size, number, sha, **options)

    monkeypatch.setattr(module, "view", failing)
    with pytest.raises(MemoryError):
        compute(made, root, samples)
    monkeypatch.setattr(module, "view", true_view)
    before = runs(started)
    assert compute(extractor(tmp_path / "cache"), root, samples) == []
    assert before == len(samples) - 1
    assert runs(started) == len(samples)


def test_an_unknown_engine_is_refused(tmp_path: Path, root, samples) -> None:
    with pytest.raises(ConfigError, match="onnxruntime float32"):
        compute(extractor(tmp_path / "cache", engine="onnx float32"), root, samples)


def test_the_task_counts_every_image_once(tmp_path: Path, root, samples) -> None:
    class Count:
        total = 0

        def advance(self, count: int = 1) -> None:
            self.total += count

    first, second = Count(), Count()
    doubled = [*samples, replace(samples[0], path=samples[1].path)]
    extractor(tmp_path / "cache").compute(root, doubled, first)
    extractor(tmp_path / "cache").compute(root, doubled, second)
    assert first.total == second.total == len(doubled)


def test_a_file_that_changed_after_its_hash_was_taken_is_not_kept_under_it(
    tmp_path: Path, root, samples
) -> None:
    kept = {s.path: (root / s.path).read_bytes() for s in samples}
    names = sorted(kept)
    for name, other in zip(names, names[1:] + names[:1], strict=True):  # between the scan and the decoding
        (root / name).write_bytes(kept[other])
    made = extractor(tmp_path / "cache")
    skipped = compute(made, root, samples)
    assert [s.path for s in skipped] == names
    assert all("changed after it was listed" in s.reason for s in skipped)
    with pytest.raises(DataError, match="6 images changed or lost their features"):
        made.read(samples, TAPS)
    for name in names:
        (root / name).write_bytes(kept[name])
    restored, alone = extractor(tmp_path / "cache"), extractor(tmp_path / "other")
    for one in (restored, alone):
        assert compute(one, root, samples) == []
    np.testing.assert_array_equal(restored.read(samples, TAPS), alone.read(samples, TAPS))


def test_features_that_were_damaged_on_disk_are_computed_again(
    tmp_path: Path, root, samples, started
) -> None:
    made = extractor(tmp_path / "cache")
    compute(made, root, samples)
    before, count = made.read(samples, TAPS), runs(started)
    (rows,) = (tmp_path / "cache").rglob("*.rows.npy")
    data = bytearray(rows.read_bytes())
    data[-100] ^= 4
    rows.write_bytes(data)
    again = extractor(tmp_path / "cache")
    assert compute(again, root, samples) == []
    assert runs(started) == 2 * count
    np.testing.assert_array_equal(again.read(samples, TAPS), before)

"""Training on frozen features: the same twice, by the training part alone, with clear errors."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets, width
from eyebright.data.folder import scan
from eyebright.data.manifest import Manifest
from eyebright.errors import ConfigError, DataError
from eyebright.runtime.context import showing
from eyebright.runtime.progress import SILENT, Silent
from eyebright.training.linear_probe import probe as frozen
from eyebright.training.linear_probe.features import FeatureExtractor
from eyebright.training.linear_probe.probe import FrozenModel, FrozenTrainer
from eyebright.training.linear_probe.selection import Setting

SIZE = 96


def trainer(manifest: Manifest, cache: Path, *, layers: str = "texture", views: int = 1) -> FrozenTrainer:
    return FrozenTrainer(manifest, EmbeddedBackbone(), cache, views=views, layers=layers, seed=0)


def head_bytes(model: FrozenModel) -> bytes:
    return model.fit.head.weights.tobytes() + model.fit.head.bias.tobytes()


def accuracy(model: FrozenModel, manifest: Manifest) -> float:
    """On the validation part."""
    samples = manifest.of("val")
    with SILENT.task("", len(samples)) as task:
        assert model.extractor.compute(manifest.root, samples, task) == []
    logits = model.fit.head.logits(model.extractor.read(samples, model.extractor.taps))
    named = [manifest.labels[i] for i in logits.argmax(axis=1)]
    return float(np.mean([s.label == label for s, label in zip(samples, named, strict=True)]))


@pytest.fixture(scope="module")
def model(textile_manifest: Manifest, feature_cache: Path) -> FrozenModel:
    return trainer(textile_manifest, feature_cache).train(SIZE)


@pytest.fixture
def copied(textile: Path, tmp_path: Path) -> Path:
    """The textile photographs, free to be changed."""
    return Path(shutil.copytree(textile, tmp_path / "textile"))


def test_it_learns_textile(model: FrozenModel, textile_manifest: Manifest) -> None:
    held_out = (model.fit.held_out.argmax(axis=1) == model.truth).mean()
    assert held_out > 0.5  # three classes
    assert accuracy(model, textile_manifest) > 0.5
    assert len(model.truth) == len(textile_manifest.of("train"))
    assert model.fit.head.weights.shape == (width(model.extractor.taps), 3)


def test_what_was_given_is_not_compared(model: FrozenModel) -> None:
    assert model.extractor.preprocessing.size == SIZE
    assert model.layers == "texture"
    assert model.sizes == []
    assert model.feature_layer_sets == []
    assert model.trials[0].name == model.extractor.engine


def test_two_trainings_are_equal_byte_for_byte(textile_manifest: Manifest, tmp_path: Path) -> None:
    """In caches of its own: rows of another engine, from another test, may lie in the shared one."""
    first = trainer(textile_manifest, tmp_path / "one").train(SIZE)
    again = trainer(textile_manifest, tmp_path / "one").train(SIZE)
    assert head_bytes(again) == head_bytes(first)
    # ...and with features computed anew, by the same engine.
    shutil.copytree(tmp_path / "one/engines", tmp_path / "two/engines")
    cold = trainer(textile_manifest, tmp_path / "two").train(SIZE)
    assert cold.extractor.engine == first.extractor.engine
    assert head_bytes(cold) == head_bytes(first)


def test_the_validation_part_has_no_say(model, textile_manifest, copied: Path, feature_cache: Path) -> None:
    """Other images, and every one under a wrong label: the head stays the same."""
    labels = sorted(folder.name for folder in (copied / "train").iterdir())
    for label in labels:
        (copied / "val" / label).rename(copied / f"was {label}")
    for label, other in zip(labels, labels[1:] + labels[:1], strict=True):
        (copied / f"was {label}").rename(copied / "val" / other)
    for file in list((copied / "val").rglob("*.jpg"))[::2]:
        file.write_bytes(file.read_bytes() + b"\0")  # another file, the same picture
    changed = scan(copied)
    assert len(changed.of("val")) == len(textile_manifest.of("val"))
    assert not {(s.sha, s.label) for s in changed.of("val")} & {
        (s.sha, s.label) for s in textile_manifest.of("val")
    }
    assert head_bytes(trainer(changed, feature_cache).train(SIZE)) == head_bytes(model)


def test_the_training_part_has_its_say(model, textile_manifest: Manifest, feature_cache: Path) -> None:
    fewer = replace(textile_manifest, samples=textile_manifest.samples[1:])
    assert len(fewer.of("train")) < len(textile_manifest.of("train"))
    assert head_bytes(trainer(fewer, feature_cache).train(SIZE)) != head_bytes(model)


def test_layers_are_compared_on_the_training_part(textile_manifest: Manifest, feature_cache: Path) -> None:
    chosen = trainer(textile_manifest, feature_cache, layers="auto").train(64)
    assert [c.name for c in chosen.feature_layer_sets] == ["texture", "stages", "all"]
    assert [c.name for c in chosen.feature_layer_sets if c.selected] == [chosen.layers]
    assert min(chosen.feature_layer_sets, key=lambda c: c.log_loss).selected
    assert {c.count for c in chosen.feature_layer_sets} == {len(textile_manifest.of("train"))}
    assert chosen.extractor.taps == feature_layer_sets(embedded.card())[chosen.layers]


def test_sizes_are_compared_from_the_smallest(textile_manifest, feature_cache, monkeypatch) -> None:
    monkeypatch.setattr(frozen, "ladder", lambda sides: (32, 64))
    chosen = trainer(textile_manifest, feature_cache).train(None)
    assert [c.name for c in chosen.sizes] == ["32", "64"]
    assert [c.name for c in chosen.sizes if c.selected] == [str(chosen.extractor.preprocessing.size)]


def test_only_a_subset_is_compared(textile_manifest, feature_cache, monkeypatch) -> None:
    monkeypatch.setattr(frozen, "ladder", lambda sides: (32, 64))
    monkeypatch.setattr(frozen, "SUBSET", 30)
    monkeypatch.setattr(frozen, "THOROUGH", 30)
    chosen = trainer(textile_manifest, feature_cache).train(None)
    assert {c.count for c in chosen.sizes} == {30}
    assert len(chosen.truth) == len(textile_manifest.of("train"))


def test_views_train_the_head_and_are_not_judged(textile_manifest, feature_cache, model) -> None:
    seen = trainer(textile_manifest, feature_cache, views=3).train(SIZE)
    assert len(seen.fit.held_out) == len(seen.truth) == len(textile_manifest.of("train"))
    assert head_bytes(seen) != head_bytes(model)
    assert accuracy(seen, textile_manifest) > 0.5


def test_views_are_compared_with_the_size_of_few_images(textile_manifest, feature_cache, monkeypatch) -> None:
    monkeypatch.setattr(frozen, "ladder", lambda sides: (32,))
    made = FrozenTrainer(
        textile_manifest, EmbeddedBackbone(), feature_cache, views=None, layers="texture", seed=0
    )
    chosen = made.train(None)
    assert [row.name for row in chosen.view_counts] == ["1", "2", "4"]
    assert [row.name for row in chosen.view_counts if row.selected] == [str(chosen.views)]
    assert len(chosen.extractor.spaces) == chosen.views
    assert len(chosen.fit.held_out) == len(textile_manifest.of("train"))


def test_narrower_layers_take_over_what_wider_ones_computed(
    textile_manifest: Manifest, tmp_path: Path
) -> None:
    """What was compared is not computed again, and is what an engine on the narrower layers gives."""
    made = trainer(textile_manifest, tmp_path / "wide", layers="auto")
    made.trials = made._race(SIZE, made.sets["all"])
    samples = made.samples[:6]
    wide = made._sharing(Setting(SIZE, "all"), samples)
    assert wide.running is not None  # the one that won the race
    made._try(wide, samples)
    narrow = made._sharing(Setting(SIZE, "texture"), samples)
    assert not narrow.missing(samples)
    assert narrow.running is None
    anew = FeatureExtractor(
        tmp_path / "anew", made.backbone, narrow.preprocessing, narrow.taps, narrow.engine, 1
    )
    made._try(anew, samples)
    np.testing.assert_allclose(
        narrow.read(samples, narrow.taps), anew.read(samples, narrow.taps), rtol=2e-3, atol=1e-4
    )


def test_a_damaged_image_is_left_out_and_named(model, copied: Path, feature_cache: Path) -> None:
    victim = min((copied / "train" / "nominal").iterdir())
    victim.write_bytes(victim.read_bytes()[:-3000])
    made = trainer(scan(copied), feature_cache).train(SIZE)
    assert [s.path for s in made.skipped] == [victim.relative_to(copied).as_posix()]
    assert len(made.truth) == len(model.truth) - 1


def test_a_class_that_is_all_damaged_is_named(copied: Path, feature_cache: Path) -> None:
    for file in (copied / "train" / "local").iterdir():
        file.write_bytes(file.read_bytes()[:-3000])
    with pytest.raises(DataError, match="None is left of: local") as caught:
        trainer(scan(copied), feature_cache).train(SIZE)
    *named, rest = caught.value.__notes__
    assert len(named) == 10
    assert all(note.startswith("Skipped train/local/") and "truncated" in note for note in named)
    assert rest == "and 14 more"


def test_a_training_part_that_is_all_damaged_is_told(copied: Path, tmp_path: Path) -> None:
    for file in (copied / "train").rglob("*.jpg"):
        file.write_bytes(file.read_bytes()[:-3000])
    with pytest.raises(DataError, match=r"All of them \(72\) are damaged") as caught:
        trainer(scan(copied), tmp_path / "fresh").train(SIZE)
    assert caught.value.__notes__[-1] == "and 62 more"


def test_features_that_do_not_fit_in_memory_are_added_up(
    model, textile_manifest, feature_cache, monkeypatch
) -> None:
    table_bytes = len(textile_manifest.of("train")) * width(model.extractor.taps) * 4
    monkeypatch.setattr(frozen, "IN_MEMORY_BYTES", table_bytes)
    assert head_bytes(trainer(textile_manifest, feature_cache).train(SIZE)) == head_bytes(model)
    monkeypatch.setattr(frozen, "IN_MEMORY_BYTES", table_bytes - 1)
    added_up = trainer(textile_manifest, feature_cache).train(SIZE)
    assert added_up.fit.path == ()
    assert len(added_up.fit.held_out) == len(added_up.truth) < len(model.truth)
    assert accuracy(added_up, textile_manifest) > 0.45


@pytest.mark.parametrize(
    ("rows_of", "expected"),
    [("all", ["texture", "stages", "all"]), ("stages", ["texture", "stages"]), (None, ["stages"])],
)
def test_the_sets_that_are_compared_are_those_that_fit(
    textile_manifest, feature_cache, monkeypatch, rows_of: str | None, expected: list[str]
) -> None:
    count = len(textile_manifest.of("train"))
    limit = width(feature_layer_sets(embedded.card())[rows_of]) * 4 * count if rows_of else 4 * count
    monkeypatch.setattr(frozen, "IN_MEMORY_BYTES", limit)
    assert list(trainer(textile_manifest, feature_cache, layers="auto").sets) == expected


def test_of_many_images_the_widest_set_is_compared_alone(
    textile_manifest, feature_cache, monkeypatch
) -> None:
    """A subset of the training split misleads about the two wide ones."""
    monkeypatch.setattr(frozen, "THOROUGH", len(textile_manifest.of("train")) - 1)
    assert list(trainer(textile_manifest, feature_cache, layers="auto").sets) == ["texture", "all"]


def test_layers_too_wide_for_memory_are_refused(
    monkeypatch, textile_manifest: Manifest, tmp_path: Path
) -> None:
    monkeypatch.setattr(frozen, "IN_MEMORY_BYTES", 1_000_000)
    with pytest.raises(ConfigError, match="at most 19"):
        trainer(textile_manifest, tmp_path, layers="all")


def test_the_names_of_files_have_no_say(textile: Path, tmp_path: Path, model, feature_cache: Path) -> None:
    """The same images under names in reverse: the same split, the same head bit for bit."""
    for number, file in enumerate(sorted(textile.rglob("*.jpg"), reverse=True)):
        target = tmp_path / file.parent.relative_to(textile) / f"{number:04}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    assert head_bytes(trainer(scan(tmp_path), feature_cache).train(SIZE)) == head_bytes(model)


class Heard(Silent):
    """Hears what is said."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def say(self, text: str) -> None:
        self.texts.append(text)


def few(textile: Path, folder: Path, images: int) -> Path:
    """So many photographs of each class, without splits."""
    for place in sorted((textile / "train").iterdir()):
        (folder / place.name).mkdir(parents=True)
        for file in sorted(place.iterdir())[:images]:
            shutil.copyfile(file, folder / place.name / file.name)
    return folder


def test_two_images_a_class_are_enough_whatever_the_cache_holds(textile: Path, tmp_path: Path) -> None:
    manifest = scan(few(textile, tmp_path / "data", 2))
    heard = Heard()
    with showing(heard):
        first = trainer(manifest, tmp_path / "cache", layers="auto").train(None)
    assert "3 classes have a single training image: global, local, nominal." in "".join(heard.texts)
    again = trainer(manifest, tmp_path / "cache", layers="auto").train(None)
    assert head_bytes(again) == head_bytes(first)
    assert np.abs(first.fit.head.weights).max() < 1e3  # classes without scatter are not believed blindly
    assert not first.fit.held_out.any()  # nothing is known of how right it is
    assert manifest.task.fit_temperature(first.fit.held_out, first.truth) == 1


def test_a_class_without_training_images_is_refused_before_features(
    textile_manifest: Manifest, tmp_path: Path
) -> None:
    samples = tuple(s for s in textile_manifest.samples if s.split != "train" or s.label != "local")
    with pytest.raises(DataError, match="None is left of: local"):
        trainer(replace(textile_manifest, samples=samples), tmp_path / "cache").train(SIZE)
    assert not (tmp_path / "cache").exists()


def test_images_that_vanish_while_sizes_are_compared_are_left_out(
    copied: Path, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(frozen, "ladder", lambda sides: (32, 64))
    manifest = scan(copied)
    made = trainer(manifest, tmp_path / "cache")
    true_try, lost = made._try, manifest.of("train")[5]

    def vanishing(extractor, samples):
        readable = true_try(extractor, samples)
        (copied / lost.path).unlink(missing_ok=True)  # after the first size
        return readable

    monkeypatch.setattr(made, "_try", vanishing)
    chosen = made.train(None)
    assert [s.path for s in chosen.skipped] == [lost.path]
    assert len(chosen.truth) == len(manifest.of("train")) - 1

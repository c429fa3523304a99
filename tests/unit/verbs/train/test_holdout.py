"""What fine-tuning is evaluated on: never what is reported, and never a copy of what is learned."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from eyebright.data.manifest import Manifest
from eyebright.verbs.train.holdout import with_holdout


def test_a_seventh_of_the_training_part_is_held_out(textile_manifest: Manifest) -> None:
    inner = with_holdout(textile_manifest, seed=0)
    train = {s.path for s in textile_manifest.of("train")}
    assert {s.path for s in inner.samples} == train  # the validation part is reported, so it is left alone
    held_out = Counter(s.label for s in inner.of("val"))
    everything = Counter(s.label for s in textile_manifest.of("train"))
    for label, count in everything.items():
        assert abs(held_out[label] - count / 7) <= 1


def test_with_a_test_part_the_validation_part_serves(textile_manifest: Manifest) -> None:
    samples = tuple(
        replace(s, split="test") if s.split == "val" and place % 2 else s
        for place, s in enumerate(textile_manifest.samples)
    )
    manifest = replace(textile_manifest, samples=samples)
    inner = with_holdout(manifest, seed=0)
    assert inner.of("train") == manifest.of("train")
    assert inner.of("val") == manifest.of("val")
    assert inner.of("test") == ()


def test_equal_images_stay_together(textile_manifest: Manifest) -> None:
    train = textile_manifest.of("train")
    copies = tuple(replace(s, path=f"copy/{s.path}") for s in train)
    inner = with_holdout(replace(textile_manifest, samples=(*train, *copies)), seed=0)
    assert not {s.sha for s in inner.of("train")} & {s.sha for s in inner.of("val")}


def test_the_seed_decides_which(textile_manifest: Manifest) -> None:
    first, again, other = (with_holdout(textile_manifest, seed).of("val") for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_of_a_class_whose_images_belong_together_all_is_learned_from(textile_manifest: Manifest) -> None:
    rare = textile_manifest.labels[-1]
    train = [s for s in textile_manifest.of("train") if s.label != rare]
    few = [s for s in textile_manifest.of("train") if s.label == rare][:5]
    samples = (*train[:-1], *(replace(s, group="one lot") for s in few))
    for seed in range(5):
        inner = with_holdout(replace(textile_manifest, samples=samples), seed)
        assert [s.label for s in inner.of("train")].count(rare) == len(few)

"""What to label next: look-alikes first, then suggestions that are better than chance, each image once."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.auditing.neighbours import unit
from eyebright.data.manifest import Manifest
from eyebright.labelling.features import Features, features_of
from eyebright.labelling.groups import ALIKE, SURE_PAGE, next_group
from eyebright.labelling.neighbours import nearest_labelled
from eyebright.labelling.review import label_errors
from eyebright.labelling.suggestions import Suggester

CLASSES = ("cat", "dog", "owl")


def clouds(each: int = 60) -> tuple[Features, dict[str, str]]:
    """Three clouds of rows, and the class of each row."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 16)) * 3
    rows = np.concatenate([centre + random.normal(size=(each, 16)) for centre in centres]).astype(np.float32)
    shas = tuple(f"{number:03}" for number in range(3 * each))
    return Features(shas, rows, unit(rows)), {sha: CLASSES[int(sha) // each] for sha in shas}


def test_everything_is_labelled_with_few_strokes():
    features, truth = clouds()
    suggester, strokes = Suggester(features), 0
    labels: dict[str, str] = {}
    while pool := set(truth) - labels.keys():
        group = next_group(suggester, labels, pool)
        assert 0 < len(group.tiles) <= (SURE_PAGE if group.suggested else ALIKE)
        assert {tile.sha for tile in group.tiles} <= pool
        if group.suggested:
            strokes += 1 + sum(tile.guesses.index(truth[tile.sha]) for tile in group.tiles)
        else:
            strokes += 1
            assert len({truth[tile.sha] for tile in group.tiles}) == 1
        labels |= {tile.sha: truth[tile.sha] for tile in group.tiles}
    assert strokes < 12  # for 180 images


def test_nothing_is_suggested_while_one_class_is_known():
    features, truth = clouds()
    labels = {sha: "cat" for sha in truth if truth[sha] == "cat"}
    group = next_group(Suggester(features), labels, set(truth) - labels.keys())
    assert not group.suggested


def test_a_wrong_label_is_suspected_and_its_neighbours_say_why():
    features, truth = clouds()
    wrong = {**truth, "005": "owl"}
    found = {item.sha: item.predicted for item in label_errors(features, wrong)}
    assert found == {"005": "cat"}
    assert {one.label for one in nearest_labelled(features, "005", wrong)} == {"cat"}
    assert label_errors(features, {sha: truth[sha] for sha in list(truth)[:10]}) == []


def test_one_image_alone_can_be_labelled():
    features = Features(("a",), np.ones((1, 4), np.float32), unit(np.ones((1, 4), np.float32)))
    assert [tile.sha for tile in next_group(Suggester(features), {}, {"a"}).tiles] == ["a"]
    assert not next_group(Suggester(features), {"a": "cat"}, ()).tiles


@pytest.mark.usefixtures("feature_cache")
def test_features_of_real_images_are_in_their_order(textile_manifest: Manifest):
    samples = textile_manifest.samples[:12]
    found, skipped = features_of(textile_manifest.root, samples)
    assert found.shas == tuple(sample.sha for sample in samples)
    assert np.allclose(np.linalg.norm(found.units, axis=1), 1, atol=1e-4)
    assert skipped == ()

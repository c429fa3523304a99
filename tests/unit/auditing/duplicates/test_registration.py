"""Registration: copies of photographs match under the turn that was made, and unlike photographs do not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from eyebright.auditing.duplicates.registration import register
from eyebright.auditing.duplicates.resemblance import coarse, resemblance
from eyebright.auditing.fingerprint import descriptors
from eyebright.auditing.planting import COPIES, planted_copy
from eyebright.auditing.records import Records, record


def records(*images: Image.Image) -> Records:
    return np.stack([record(image) for image in images])


@pytest.mark.parametrize("kind", COPIES)
def test_every_planted_copy_matches_its_image(kind: str, scenes: list[Image.Image]):
    copies = [planted_copy(scene, kind, str(number)) for number, scene in enumerate(scenes)]
    assert register(records(*scenes), records(*copies)).score.min() > 0.85


def test_the_turn_is_found(scenes: list[Image.Image]):
    scene = scenes[0]
    made = [
        scene,
        scene.rotate(90, expand=True),
        scene.rotate(180),
        scene.rotate(270, expand=True),
        ImageOps.mirror(scene),
    ]
    found = register(records(*[scene] * len(made)), records(*made))
    assert found.score.min() > 0.95
    # The turn is what lays the copy on the image, so it is the inverse of how the copy was made.
    assert found.turn.tolist() == [0, 3, 2, 1, 4]


def test_unlike_photographs_do_not_match(photographs: dict[str, Image.Image], scenes: list[Image.Image]):
    pictures = [*photographs.values(), *scenes]
    first, second = np.triu_indices(len(pictures), 1)
    every = records(*pictures)
    assert register(every[first], every[second]).score.max() < 0.7


def test_cloth_matches_its_crop_and_no_other_cloth(textile_pictures: list[Image.Image]):
    every = records(*textile_pictures)
    crops = records(*(planted_copy(one, "crop", str(number)) for number, one in enumerate(textile_pictures)))
    assert register(every, crops).score.min() > 0.85
    assert register(every, np.roll(crops, 1)).score.max() < 0.5


def test_a_common_frame_makes_no_copies_of_unlike_cloth(textile_pictures: list[Image.Image]):
    framed = records(*(ImageOps.expand(one, 16, (32, 33, 36)) for one in textile_pictures))
    assert register(framed, np.roll(framed, 1)).score.max() < 0.5
    assert register(framed, records(*textile_pictures)).score.min() > 0.85


def test_mirroring_and_quarter_turns_leave_descriptors_alone(scenes: list[Image.Image]):
    scene = scenes[0]
    every = records(scene, ImageOps.mirror(scene), scene.rotate(90, expand=True), scenes[1])
    rows = descriptors(every["inside"].astype(np.float32))
    alike = rows @ rows[0]
    assert alike[1:3].min() > 0.99 > alike[3] + 0.02


def test_a_first_look_is_high_for_copies(scenes: list[Image.Image]):
    darker = [ImageEnhance.Brightness(ImageOps.mirror(scene)).enhance(0.7) for scene in scenes]
    pairs = np.array([0, 1, 0]), np.array([0, 1, 1])
    look = resemblance(coarse(records(*scenes)), coarse(records(*darker)), pairs)
    assert look[:2].min() > 0.95 > look[2]


def test_a_frame_is_a_border_and_an_overexposed_ground_is_not(scenes: list[Image.Image]):
    framed = record(ImageOps.expand(scenes[0], 40, (250, 250, 250)))
    np.testing.assert_allclose(framed["borders"], [40 / 507] * 2 + [40 / 720] * 2, atol=0.01)
    assert framed["steps"].min() > 0.5
    assert record(scenes[0])["borders"].max() == 0

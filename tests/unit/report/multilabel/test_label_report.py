"""The page where an image may have several labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_material import several

from eyebright.report.card import model_card
from eyebright.report.page import render
from eyebright.text.language import speaking
from eyebright.types import Lang

LABELS = ("cell", "dust", "stain")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(several(tmp_path_factory.mktemp("page"), LABELS))


def test_mistakes_say_what_was_missed_and_what_was_invented(page: str):
    gallery = page[page.index('id="gallery"') : page.index('id="viewer"')]
    assert gallery.count("<li ") == 6
    kinds = {
        (kind, label) for kind in ("true", "named") for label in LABELS if f'data-{kind}="{label}"' in gallery
    }
    assert {kind for kind, _ in kinds} == {"true", "named"}
    assert "6 images with at least one wrong label, 6 shown" in page


def test_labels_that_come_together_link_to_no_confusion(page: str):
    together = page[page.index('id="together"') : page.index('id="reliability"')]
    assert "Images with both labels" in together
    assert "<a " not in together


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_names_from_outside_are_text(tmp_path: Path, lang: Lang):
    with speaking(lang):
        html = render(several(tmp_path, ("a < b", "<script>", "c & d")))
    assert "a < b" not in html
    assert html.count("<script>") == 1  # the page's own


def test_every_image_right_is_said(tmp_path: Path):
    assert "Every image was predicted with exactly its labels." in render(several(tmp_path, wrong=0))


def test_the_model_card_has_the_figures_of_labels(tmp_path: Path):
    card = model_card(several(tmp_path))
    assert "| Exact-match accuracy |" in card
    assert "Hamming loss" in card
    assert "for label, probability, held in" in card

"""The page of `explain`: each image beside its heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.explaining.base import Explainer, Method
from eyebright.explaining.words import WordEvidence
from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate


@dataclass(frozen=True)
class ExplainedImage:
    """One image of the page.

    Attributes:
        path: of the image.
        label: the class whose evidence is shown.
        probability: of that class.
        answer: the class that the model predicts.
        before, after: data URIs of the image and of its heat map.
        picture: the heat map's file beside the page.
        words: of the text beside the image, the strongest first.
    """

    path: str
    label: str
    probability: float
    answer: str
    before: str
    after: str
    picture: str
    words: Sequence[WordEvidence] = ()

    @property
    def words_for(self) -> Sequence[WordEvidence]:
        """Return the words that speak for the class."""
        return [word for word in self.words if word.gain > 0]

    @property
    def words_against(self) -> Sequence[WordEvidence]:
        """Return the words that speak against it."""
        return [word for word in self.words if word.gain < 0]

    @property
    def file_name(self) -> str:
        """Return the last part of the path."""
        return Path(self.path).name


def write_explanations(
    path: Path, title: str, how: Explainer, images: Sequence[ExplainedImage], count: int
) -> None:
    """Write the page to ``path``, whole or not at all.

    Args:
        path: in the folder of the pictures.
        title: plain text.
        how: what made the maps.
        images: those that the page shows.
        count: how many there are; the others have their files.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    head = render("verdict.html", sentences=[translate("Image regions behind each prediction")])
    pictures = render("explain/pictures.html", images=images, signed=how.signed, count=count)
    reading = render("explain/reading.html", method=_method_in_words(how.method), placeless=how.placeless)
    sections = [
        Section("pictures", translate("Heat maps"), pictures),
        Section("reading", translate("How to read the heat maps"), reading),
    ]
    write_text(path, document(title, head, sections))


def _method_in_words(method: Method) -> str:
    """Return what a heat map of ``method`` shows."""
    match method:
        case "exact":
            return translate(
                "The class score is a sum over features, and each feature is a sum over image "
                "locations. Each location shows its contribution to the class score; all together "
                "add up to it. This is exact, not an estimate. Locations without colour look like "
                "the average training image."
            )
        case "gradcam":
            return translate(
                "Grad-CAM: the channels of the last feature map, weighted by how much each of them "
                "changes the score of the class. This is an estimate; features of earlier layers are "
                "not included."
            )
        case "rollout":
            return translate(
                "Attention rollout: the image positions whose attention reaches the prediction "
                "through all layers. It is the same for every class. A highlighted position may "
                "speak for a class or against it."
            )

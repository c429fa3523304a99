"""Heat maps on a page: beside their images, with the meaning of their colours."""

from __future__ import annotations

from eyebright.explaining.base import Method
from eyebright.report.markup import text
from eyebright.text.language import translate


def legend(signed: bool) -> str:
    """What the colours mean."""
    if not signed:
        return f'<p class="heat-legend"><span class="for">{text(translate("is looked at"))}</span></p>'
    speaks = text(translate("speaks for the class"))
    against = text(translate("speaks against it"))
    return (
        f'<p class="heat-legend"><span class="for">{speaks}</span><span class="against">{against}</span></p>'
    )


def method_in_words(method: Method) -> str:
    """What a map of this method is."""
    match method:
        case "exact":
            return translate(
                "The classifier adds up features, and each feature adds up places of the image. Each place "
                "shows what it adds to the class's score; together they are the score. Nothing is estimated. "
                "A place without colour looks as training images do on average."
            )
        case "gradcam":
            return translate(
                "Grad-CAM: channels of the last map, weighted by how much the class's score would change "
                "with each. An estimate; features of earlier layers have no part in it."
            )
        case "rollout":
            return translate(
                "Attention roll-out: from which places attention reaches the answer, through all layers. It "
                "is the same for every class, and what is looked at may speak for a class or against it."
            )


def pair(before: str, heat: str, description: str) -> str:
    """A picture, as HTML, beside its heat map, a data URI with a plain description."""
    after = f'<div class="picture"><img src="{heat}" alt="{text(description)}"></div>'
    return f'<div class="pair">{before}{after}</div>'

"""Heat maps on a page: beside their images, with the meaning of their colours."""

from __future__ import annotations

from eyebright.explaining.base import Method
from eyebright.report.markup import text
from eyebright.text.language import translate


def legend(signed: bool) -> str:
    """What the colours mean."""
    if not signed:
        seen = text(translate("attended to by the model"))
        return f'<p class="heat-legend"><span class="for">{seen}</span></p>'
    speaks = text(translate("counts for the class"))
    against = text(translate("counts against the class"))
    return (
        f'<p class="heat-legend"><span class="for">{speaks}</span><span class="against">{against}</span></p>'
    )


def method_in_words(method: Method) -> str:
    """What a map of this method is."""
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


def pair(before: str, heat: str, description: str) -> str:
    """A picture, as HTML, beside its heat map, a data URI with a plain description."""
    after = f'<div class="picture"><img src="{heat}" alt="{text(description)}"></div>'
    return f'<div class="pair">{before}{after}</div>'

"""Heat maps in words."""

from __future__ import annotations

from eyebright.explaining.base import Method
from eyebright.text.language import translate


def method_in_words(method: Method) -> str:
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

"""What corruptions and their strengths are called."""

from __future__ import annotations

from eyebright.data.corruptions import Corruption
from eyebright.text.format import percent
from eyebright.text.language import translate


def corruption_name(kind: Corruption) -> str:
    """Return what a corruption is called, with the unit of its strength."""
    match kind:
        case "noise":
            return translate("Noise: standard deviation, share of white")
        case "blur":
            return translate("Blur: standard deviation, share of the short side")
        case "jpeg":
            return translate("JPEG: quality")
        case "darker":
            return translate("Darker: brightness factor")
        case "brighter":
            return translate("Brighter: brightness factor")
        case "rotation":
            return translate("Rotation: degrees")
        case "occlusion":
            return translate("Occlusion: share of the area")


def strength_name(kind: Corruption, strength: float) -> str:
    """Return a strength as a number with its unit."""
    if kind in ("noise", "blur", "occlusion"):
        return percent(strength, 1 if kind == "blur" else 0)
    return f"{strength:g}"


def corruption_level(kind: Corruption, strength: float) -> str:
    """Return one strength in words, as it stands in a sentence."""
    value = strength_name(kind, strength)
    match kind:
        case "noise":
            return translate("noise with σ of {value} of white", value=value)
        case "blur":
            return translate("blur with σ of {value} of the short side", value=value)
        case "jpeg":
            return translate("JPEG compression at quality {value}", value=value)
        case "darker" | "brighter":
            return translate("brightness × {value}", value=value)
        case "rotation":
            return translate("rotation by {value:degree|degrees}", value=value)
        case "occlusion":
            return translate("{value} of the area occluded", value=value)

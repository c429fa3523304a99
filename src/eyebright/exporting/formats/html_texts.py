"""What the offline page says, in both languages, and what it tells of the model."""

from __future__ import annotations

from eyebright import __version__
from eyebright.exporting.base import Source
from eyebright.text.language import translate
from eyebright.types import Lang


def texts(lang: Lang) -> dict[str, str]:
    """The page's sentences by the names that its script knows them by; placeholders are filled in there."""
    return {
        "about": translate("About this model", lang),
        "against": translate("against", lang),
        "all": translate("All {count} classes", lang),
        "answers": translate("Answers", lang),
        "camera": translate("Camera", lang),
        "choose": translate("Choose images", lang),
        "clear": translate("Remove all", lang),
        "close": translate("Close", lang),
        "drop": translate("Drop images here, or paste them", lang),
        "failed": translate("The model could not answer: {reason}. Try a smaller image.", lang),
        "heat": translate("Heat map", lang),
        "images": translate("Images", lang),
        "language": translate("Language", lang),
        "lead": translate("Tells {count} classes apart, on this device, without a network.", lang),
        "leadSeveral": translate(
            "Finds {count} labels, any number in an image, on this device, without a network.", lang
        ),
        "loading": translate("Loading the model …", lang),
        "noCamera": translate(
            "The camera cannot be used: {reason}. Allow it in the browser, or choose images.", lang
        ),
        "none": translate("None of the labels", lang),
        "parts": translate("The page runs on ONNX Runtime Web, under this licence:", lang),
        "pasted": translate("Pasted image", lang),
        "photo": translate("Photo", lang),
        "private": translate("Your images stay on this device.", lang),
        "remove": translate("Remove {name}", lang),
        "speaksFor": translate("for the class", lang),
        "stopped": translate(
            "The model could not start: {reason}. Use Chrome, Edge, Firefox or Safari of 2023 or newer.", lang
        ),
        "take": translate("Take picture", lang),
        "unknown": translate("Unknown", lang),
        "unlike": translate(
            "This image is unlike those that the model learned from. What follows is only its best guess.",
            lang,
        ),
        "unreadable": translate(
            "The browser cannot read this file as an image. Give JPEG, PNG, WebP, GIF or BMP.", lang
        ),
        "waiting": translate("Waiting …", lang),
    }


def terms(source: Source, runtime_version: str, lang: Lang) -> list[tuple[str, str]]:
    """Names and values of what is known about the model."""
    metadata, size = source.model.metadata, source.size
    rows = [
        (translate("Network", lang), str(source.model.card["backbone"])),
        (translate("Input", lang), f"{size} × {size} px"),
        (translate("Arithmetic", lang), source.precision),
        (translate("Licence of the weights", lang), metadata.get("licence", "")),
        (translate("Licence of the images", lang), metadata.get("data_licence", "")),
        (translate("Made with", lang), f"Eyebright {__version__}, ONNX Runtime Web {runtime_version}"),
    ]
    return [(term, value) for term, value in rows if value]

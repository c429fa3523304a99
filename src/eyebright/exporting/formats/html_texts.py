"""What the offline page says, in both languages, and what it tells of the model."""

from __future__ import annotations

from eyebright.exporting.base import ExportSource
from eyebright.text.language import translate
from eyebright.version import __version__


def texts() -> dict[str, str]:
    """Return the page's sentences by the names that its script uses; it fills in their placeholders."""
    return {
        "about": translate("About this model"),
        "against": translate("against"),
        "all": translate("All {count} classes"),
        "answers": translate("Predictions"),
        "camera": translate("Camera"),
        "choose": translate("Choose images"),
        "clear": translate("Remove all"),
        "close": translate("Close"),
        "deep": translate(
            "This page reads 8 bits of each channel. This PNG has 16. Save it with 8 bits, or use "
            "eyebright predict."
        ),
        "drop": translate("Drop images here, or paste them"),
        "failed": translate("Prediction failed: {reason}. Try a smaller image."),
        "heat": translate("Heat map"),
        "images": translate("Images"),
        "language": translate("Language"),
        "lead": translate("Classifies images into {count} classes, on this device and offline."),
        "leadSeveral": translate(
            "Recognises {count} labels, any number per image, on this device and offline."
        ),
        "loading": translate("Loading the model …"),
        "noCamera": translate(
            "Cannot use the camera: {reason}. Allow access in the browser, or choose images."
        ),
        "none": translate("None of the labels"),
        "parts": translate("This page uses ONNX Runtime Web under the following licence:"),
        "pasted": translate("Pasted image"),
        "photo": translate("Photo"),
        "private": translate("Your images stay on this device."),
        "remove": translate("Remove {name}"),
        "speaksFor": translate("for the class"),
        "stopped": translate(
            "The model failed to start: {reason}. Use Chrome, Edge, Firefox or Safari from 2023 or later."
        ),
        "take": translate("Take photo"),
        "unknown": translate("Unknown"),
        "unlike": translate(
            "This image is unlike the training images (out of distribution). The probabilities below "
            "are only a best guess."
        ),
        "unreadable": translate(
            "The browser cannot read this file as an image. Use JPEG, PNG, WebP, GIF or BMP."
        ),
        "waiting": translate("Waiting …"),
    }


def terms(source: ExportSource, runtime_version: str) -> list[tuple[str, str]]:
    """Return names and values of what is known about the model."""
    metadata, size = source.model.metadata, source.size
    rows = [
        (translate("Backbone"), source.model.card.backbone),
        (translate("Input"), f"{size} × {size} px"),
        (translate("Numeric precision"), source.precision),
        (translate("Licence of the weights"), metadata.get("licence", "")),
        (translate("Licence of the images"), metadata.get("data_licence", "")),
        (translate("Made with"), f"Eyebright {__version__}, ONNX Runtime Web {runtime_version}"),
    ]
    return [(term, value) for term, value in rows if value]

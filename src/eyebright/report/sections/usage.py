"""How to use the model, and the facts that make the run repeatable."""

from __future__ import annotations

from eyebright.evaluation.multilabel.results import LabelMetrics
from eyebright.exporting.load_image import load_image_code
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.language import translate

#: Runs as it stands beside a model.onnx and a photo.jpg; a test runs it.
SNIPPET = f"""\
import json

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


{load_image_code()}


session = onnxruntime.InferenceSession("model.onnx")
metadata = session.get_modelmeta().custom_metadata_map
labels = json.loads(metadata["labels"])

image = load_image("photo.jpg", json.loads(metadata.get("white_level", "65535")))
outputs = session.run(["probabilities", "answer"], {{"images": image[None]}})
probabilities, answer = (output[0] for output in outputs)
# -1 stands for an image unlike the training images.
print("unknown" if answer < 0 else f"{{labels[answer]}} {{probabilities[answer]:.3f}}")
"""
#: Runs beside a backbone.safetensors; a test runs it.
TIMM_SNIPPET = """\
import json

import timm
from safetensors import safe_open

with safe_open("backbone.safetensors", "pt") as file:
    about = file.metadata()
    weights = {name: file.get_tensor(name) for name in file.keys()}
backbone = timm.create_model(about["architecture"], **json.loads(about["options"]))
backbone.load_state_dict(weights)
"""
#: The same where an image may have several labels.
SEVERAL_SNIPPET = (
    SNIPPET.partition("# -1 stands")[0]
    + """\
# 1 stands for a label that holds, and -1, in all places, for an image unlike the training images.
if answer.min() < 0:
    print("unknown")
for label, probability, held in zip(labels, probabilities, answer):
    if held == 1:
        print(f"{label} {probability:.3f}")
"""
)


def snippet(content: ReportContent) -> str:
    """Return the lines of Python that suit the model; none for one of an earlier version."""
    if not content.answers:
        return ""
    return SEVERAL_SNIPPET if isinstance(content.metrics, LabelMetrics) else SNIPPET


def usage(content: ReportContent) -> Section:
    """Return a few lines of Python that need nothing of ours, and the command line."""
    body = render("sections/usage.html", snippet=snippet(content))
    return Section("use", translate("How to use the model"), body)


def facts(content: ReportContent) -> Section:
    """Return the command and the free facts."""
    body = render("sections/facts.html", facts=content.facts, command=content.command)
    return Section("facts", translate("Details"), body)

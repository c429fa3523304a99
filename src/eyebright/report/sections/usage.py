"""How to use the model, and the facts that make the run repeatable."""

from __future__ import annotations

from eyebright.evaluation.multiclass.results import Metrics
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
(probabilities,) = session.run(["probabilities"], {{"images": image[None]}})
best = int(probabilities[0].argmax())
print(labels[best], float(probabilities[0, best]))
"""
#: The same where an image may have several labels.
SEVERAL_SNIPPET = (
    SNIPPET.partition("best = ")[0]
    + """\
thresholds = json.loads(metadata["thresholds"])
for label, probability, threshold in zip(labels, probabilities[0], thresholds):
    if probability >= threshold:
        print(label, float(probability))
"""
)


def snippet(metrics: Metrics) -> str:
    """Return the lines of Python that suit a model with such metrics."""
    return SEVERAL_SNIPPET if isinstance(metrics, LabelMetrics) else SNIPPET


def usage(metrics: Metrics) -> Section:
    """Return a few lines of Python that need nothing of ours, and the command line."""
    body = render("sections/usage.html", snippet=snippet(metrics))
    return Section("use", translate("How to use the model"), body)


def facts(content: ReportContent) -> Section:
    """Return the command and the free facts."""
    body = render("sections/facts.html", facts=content.facts, command=content.command)
    return Section("facts", translate("Details"), body)

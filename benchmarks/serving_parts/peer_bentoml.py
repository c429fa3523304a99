"""The same model in BentoML. bentoml serve peer_bentoml:Classifier --port PORT, with RUN in the "
"environment."""

from __future__ import annotations

import json
import os

import bentoml
import numpy as np
import onnxruntime
from PIL import Image, ImageOps


@bentoml.service(workers=len(os.sched_getaffinity(0)))
class Classifier:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = f"{os.environ['RUN']}/model.onnx"
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.labels = json.loads(self.session.get_modelmeta().custom_metadata_map["labels"])

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, file: Image.Image) -> dict[str, float]:
        image = np.asarray(ImageOps.exif_transpose(file).convert("RGB"))
        probabilities = self.session.run(["probabilities"], {"images": image[None]})[0][0]
        return dict(zip(self.labels, map(float, probabilities), strict=True))

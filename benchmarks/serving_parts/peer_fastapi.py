"""A service as most people write it: FastAPI, ONNX Runtime, a thread pool. python peer_fastapi.py RUN PORT"""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, File, UploadFile
from PIL import Image, ImageOps

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    f"{sys.argv[1]}/model.onnx", options, providers=["CPUExecutionProvider"]
)
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
app = FastAPI()


@app.post("/predict")
def predict(file: UploadFile = File()) -> dict[str, float]:  # noqa: B008
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(file.file.read()))).convert("RGB")
    probabilities = session.run(["probabilities"], {"images": np.asarray(image)[None]})[0][0]
    return dict(zip(labels, map(float, probabilities), strict=True))


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")

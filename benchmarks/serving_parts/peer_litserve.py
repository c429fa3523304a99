"""The same model in LitServe, with a worker a core. python peer_litserve.py RUN PORT"""

import io
import json
import os
import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime
from fastapi import Request
from PIL import Image, ImageOps


class Api(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = f"{sys.argv[1]}/model.onnx"
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.labels = json.loads(self.session.get_modelmeta().custom_metadata_map["labels"])

    def decode_request(self, request: Request) -> Any:  # LitServe reads the annotation: no postponed ones
        image = Image.open(io.BytesIO(request["file"].file.read()))
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))

    def predict(self, pixels: Any) -> Any:
        return self.session.run(["probabilities"], {"images": pixels[None]})[0][0]

    def encode_response(self, probabilities: Any) -> dict[str, float]:
        return dict(zip(self.labels, map(float, probabilities), strict=True))


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=len(os.sched_getaffinity(0)))
    server.run(port=int(sys.argv[2]), host="127.0.0.1", generate_client_file=False, log_level="warning")

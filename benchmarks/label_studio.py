"""Label Studio itself asks the service: a project, an uploaded photograph, our backend, a prediction.

    python benchmarks/label_studio.py RUN IMAGE --label-studio PROGRAM

RUN is a finished run, IMAGE a photograph in a folder that is called as its class, PROGRAM the `label-studio`
of an environment of its own (`pip install label-studio`). Both listen on the loopback only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from eyebright.sealed.model import SealedModel

WAIT_SECONDS = 1500
READY = re.compile(r"Ready at (http://127\.0\.0\.1:\d+)")


class LabelStudio:
    """The interface of a running Label Studio."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token

    def ask(self, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        request = urllib.request.Request(self._address + path, body)
        request.add_header("Authorization", f"Token {self._token}")
        request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{path}: {error.code} {error.read()[:600]!r}") from None

    def post(self, path: str, content: object) -> Any:
        return self.ask(path, json.dumps(content).encode())

    def upload(self, project: int, image: Path) -> None:
        head = f'--part\r\nContent-Disposition: form-data; name="file"; filename="{image.name}"\r\n'
        body = head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + image.read_bytes() + b"\r\n--part--\r\n"
        self.ask(f"/api/projects/{project}/import", body, "multipart/form-data; boundary=part")

    def wait(self) -> None:
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self._address}/health", timeout=5).close()
                return
            except OSError:
                time.sleep(1)
        raise SystemExit("Label Studio did not start.")


@contextmanager
def label_studio(program: Path, folder: Path) -> Iterator[LabelStudio]:
    """Start Label Studio in a folder of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    token = secrets.token_hex(20)
    environment = {
        **os.environ,
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SSRF_PROTECTION_ENABLED": "false",  # else it calls nothing on this machine
        "ML_BLOCK_LOCAL_IP": "false",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "DEBUG": "false",
    }
    environment.pop("PYTHONPATH", None)
    words = ["start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    words += ["--data-dir", str(folder), "--username", "somebody@example.org"]
    words += ["--password", secrets.token_hex(8), "--user-token", token]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen([program, *words], env=environment, stdout=log, stderr=log)
        try:
            found = LabelStudio(f"http://127.0.0.1:{port}", token)
            found.wait()
            yield found
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def backend(run: Path, images: Path) -> Iterator[str]:
    """Start the service; yield its address."""
    words = [sys.executable, "-m", "eyebright", "serve", str(run), "--port", "0", "--deadline", "60s"]
    process = subprocess.Popen([*words, "--images-root", str(images)], stderr=subprocess.PIPE, text=True)
    try:
        found = (READY.search(line) for line in process.stderr or ())
        yield next(match[1] for match in found if match)
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--label-studio", type=Path, required=True)
    given = parser.parse_args()
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in SealedModel(given.run).labels)
    config = (
        f'<View><Image name="photo" value="$image"/><Choices name="kind" toName="photo">{choices}'
        "</Choices></View>"
    )
    with tempfile.TemporaryDirectory() as folder, label_studio(given.label_studio, Path(folder)) as studio:
        print("Label Studio", studio.ask("/api/version")["release"], flush=True)
        project = studio.post("/api/projects", {"title": "photographs", "label_config": config})["id"]
        studio.upload(project, given.image)
        [task] = studio.ask(f"/api/tasks?project={project}")["tasks"]
        with backend(given.run, Path(folder, "media")) as address:
            studio.post("/api/ml", {"url": address, "project": project, "title": "Eyebright"})
            action = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}"
            studio.post(action, {"selectedItems": {"all": True, "excluded": []}})
            [prediction] = studio.ask(f"/api/predictions?task={task['id']}")
        print(json.dumps({key: prediction[key] for key in ("model_version", "score", "result")}, indent=1))
        [result] = prediction["result"]
        if result["value"]["choices"] != [given.image.parent.name]:
            raise SystemExit(f"The photograph shows {given.image.parent.name}.")


if __name__ == "__main__":
    main()

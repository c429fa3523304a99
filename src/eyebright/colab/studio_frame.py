"""The studio in a cell of a notebook: a process of its own, shown in a frame."""

from __future__ import annotations

import atexit
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eyebright.errors import ConfigError, MissingExtraError
from eyebright.types import Lang
from eyebright.verbs.doctor.surroundings import surroundings

_HOST = "127.0.0.1"
_START_SECONDS, _LOOK_SECONDS, _END_SECONDS = 300.0, 0.2, 10.0
# Whose pages show a cell's output: Colab's own, and those of Jupyter and VS Code on this machine.
_COLAB_PAGES = ("https://colab.research.google.com", "https://*.googleusercontent.com")
_LOCAL_PAGES = ("http://localhost:*", "http://127.0.0.1:*", "vscode-webview:")


@dataclass(frozen=True)
class NotebookStudio:
    """A studio that runs beside a notebook.

    Attributes:
        url: its address in a browser on this machine, with the token.
        process: ends with the notebook.
    """

    url: str
    process: subprocess.Popen[bytes]

    def close(self) -> None:
        """End the studio; labels are on disk already."""
        atexit.unregister(self.close)
        self.process.terminate()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def show_studio(folder: str | Path, *, height: int = 800, lang: Lang = "en") -> NotebookStudio:
    """Start the studio of a folder and show it in the output of the cell.

    Args:
        folder: of images, labelled or not.
        height: of the frame, in pixels.
        lang: "en" or "zh".

    Raises:
        ConfigError: this place leads no browser to a port of its own, or the studio did not start.
        MissingExtraError: this is no notebook.
    """
    kind = surroundings().kind
    if kind == "kaggle":
        raise ConfigError(
            "The studio needs a place whose browser reaches the notebook's ports. Kaggle's does not. Use "
            "Colab or your own machine."
        )
    port = _free_port()
    public = _colab_address(port) if kind == "colab" else None
    pages = _LOCAL_PAGES if public is None else _COLAB_PAGES
    studio = _started(folder, port, pages, public, lang)
    if public is None:
        _ipython().display(_ipython().IFrame(studio.url, "100%", height))
    else:
        path = "/?" + urlsplit(studio.url).query
        import_module("google.colab.output").serve_kernel_port_as_iframe(port, path=path, height=str(height))
    return studio


def _started(
    folder: str | Path, port: int, pages: Sequence[str], public: str | None, lang: Lang
) -> NotebookStudio:
    token = secrets.token_urlsafe()
    with tempfile.NamedTemporaryFile(
        "w", suffix=".token", delete=False
    ) as file:  # readable by its owner alone
        file.write(token)
    words = ["studio", str(folder), "--host", _HOST, "--port", str(port), "--token-file", file.name]
    words += ["--frame-from", *pages, "--lang", lang]
    if public is not None:
        words += ["--public-url", public]
    process = subprocess.Popen(
        [sys.executable, "-m", "eyebright", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    studio = NotebookStudio(f"http://localhost:{port}/?token={token}", process)
    atexit.register(studio.close)
    try:
        _wait(studio, port)
    finally:
        Path(file.name).unlink()
    # What it says later is of no use to a cell that is done, and must not fill the pipe.
    threading.Thread(target=_drain, args=[process], daemon=True).start()
    return studio


def _wait(studio: NotebookStudio, port: int) -> None:
    """Wait until the studio answers.

    Raises:
        ConfigError: it ended instead.
    """
    pause = threading.Event()
    for _ in range(round(_START_SECONDS / _LOOK_SECONDS)):
        if studio.process.poll() is not None:
            break
        with socket.socket() as found:
            if found.connect_ex((_HOST, port)) == 0:
                return
        pause.wait(_LOOK_SECONDS)
    studio.close()
    said = studio.process.stderr.read().decode("utf-8", "replace") if studio.process.stderr else ""
    raise ConfigError(
        "The studio must start. It did not: {reason}",
        reason=(said.strip().splitlines() or ["-"])[-1],
    )


def _drain(process: subprocess.Popen[bytes]) -> None:
    if process.stderr is not None:
        for _ in process.stderr:
            pass


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((_HOST, 0))
        return int(found.getsockname()[1])


def _colab_address(port: int) -> str:
    """Return the address by which Colab leads the browser to a port of this machine."""
    return str(import_module("google.colab.output").eval_js(f"google.colab.kernel.proxyPort({port})"))


def _ipython() -> Any:
    try:
        return import_module("IPython.display")
    except ImportError:
        raise MissingExtraError(
            "A frame needs a notebook. IPython is not installed. Run: eyebright studio FOLDER"
        ) from None

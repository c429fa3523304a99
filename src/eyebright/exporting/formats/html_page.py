"""One HTML file with everything inside: model, runtime and interface, which asks nothing of any network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

from eyebright.errors import ModelError
from eyebright.exporting.base import ExportSource
from eyebright.exporting.formats.html_texts import terms, texts
from eyebright.text.language import LANGUAGES, language, speaking
from eyebright.types import Lang

Said = TypeVar("Said")
# The runtime's files by the names of their blocks in the page.
_RUNTIME = {
    "library": "ort.wasm.min.js.gz",
    "loader": "ort-wasm-simd-threaded.mjs.gz",
    "wasm": "ort-wasm-simd-threaded.wasm.gz",
}
_MODEL = "model"
_SCRIPTS = ("view.js", "pixels.js", "page.js")


def page(source: ExportSource, model: bytes) -> str:
    """The whole page.

    Args:
        source: of the model, for its name, labels and facts.
        model: the sealed graph as the page is to run it, an ONNX file.
    """
    script = "".join(_text(name) for name in _SCRIPTS)
    blocks = {name: _file("runtime", file).read_bytes() for name, file in _RUNTIME.items()}
    blocks[_MODEL] = gzip.compress(model, 9, mtime=0)
    fields = {
        "policy": _policy(script),
        "title": html.escape(source.model.path.resolve().parent.name),
        "style": _text("page.css"),
        "licence": html.escape(_file("runtime", "LICENSE").read_text(encoding="utf-8").strip()),
        "facts": _json(_facts(source)),
        "worker": _text("worker.js"),
        "blocks": "\n".join(_block(name, data) for name, data in blocks.items()),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda field: fields[field[1]], _text("page.html"))


def embedded_model(text: str) -> bytes:
    """The model of a page that :func:`page` made.

    Raises:
        ModelError: there is none.
    """
    head, tail = _block(_MODEL, b"").split("\n\n")
    _, found, rest = text.partition(f"{head}\n")
    packed, ended, _ = rest.partition(f"\n{tail}")
    if not found or not ended:
        raise ModelError("The page must contain a model. This page contains none. Export it again.")
    return gzip.decompress(base64.b64decode(packed))


def runtime_version() -> str:
    """Of onnxruntime-web, as it lies in the package."""
    return str(_runtime_facts()["version"])


def _facts(source: ExportSource) -> dict[str, Any]:
    """What the page's script must know."""
    version, thresholds = runtime_version(), source.model.thresholds
    return {
        "labels": source.labels,
        "side": source.size,
        "lang": language(),
        "thresholds": thresholds if thresholds is None else thresholds.tolist(),
        "unknown": json.loads(source.model.metadata.get("unknown", "null")),
        "texts": _in_each_language(texts),
        "terms": _in_each_language(lambda: terms(source, version)),
    }


def _in_each_language(said: Callable[[], Said]) -> dict[Lang, Said]:
    found: dict[Lang, Said] = {}
    for lang in LANGUAGES:
        with speaking(lang):
            found[lang] = said()
    return found


def _block(name: str, data: bytes) -> str:
    encoded = base64.b64encode(data).decode("ascii")
    return f'<script type="text/plain" data-block="{name}">\n{encoded}\n</script>'


def _json(value: object) -> str:
    """JSON that cannot end the element that it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _policy(script: str) -> str:
    """No script but the page's own and what it unpacks, nothing fetched."""
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src blob: data:; style-src 'unsafe-inline'; worker-src blob:; "
        f"script-src 'sha256-{digest}' blob: 'wasm-unsafe-eval'; base-uri 'none'; form-action 'none'"
    )


@cache
def _runtime_facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_file("runtime", "runtime.json").read_text(encoding="utf-8"))
    return facts


def _text(name: str) -> str:
    return _file(name).read_text(encoding="utf-8")


def _file(*names: str) -> Traversable:
    return files("eyebright.exporting").joinpath("web", *names)

"""One HTML file with everything inside: model, runtime and interface, which asks nothing of any network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined

from eyebright.errors import ModelError
from eyebright.exporting.base import ExportSource
from eyebright.exporting.formats.html_texts import terms, texts
from eyebright.text.language import LANGUAGES, language, speaking
from eyebright.types import JsonObject

Said = TypeVar("Said")
# The runtime's files by the names of their blocks in the page.
_RUNTIME = {
    "library": "ort.wasm.min.js.gz",
    "loader": "ort-wasm-simd-threaded.mjs.gz",
    "wasm": "ort-wasm-simd-threaded.wasm.gz",
}
_MODEL = "model"
_GZIP = 31  # how zlib calls gzip's header, with its largest window
_MOST_UNPACKED, _MOST_GROWTH = 2**26, 16
_SCRIPTS = ("view.js", "pixels.js", "page.js")


@dataclass(frozen=True)
class PageParts:
    """What the template of the page is filled with.

    Attributes:
        policy: what the page may load and run.
        title: the name of the model.
        style, worker, script: the texts of the page's own files.
        licence: of the runtime.
        facts: JSON for the script.
        blocks: packed files in base64 by their names.
    """

    policy: str
    title: str
    style: str
    licence: str
    facts: str
    worker: str
    blocks: Mapping[str, str]
    script: str


def page(source: ExportSource, model: bytes) -> str:
    """Return the whole page.

    Args:
        source: of the model, for its name, labels and facts.
        model: the sealed graph as the page is to run it, an ONNX file.
    """
    script = "".join(_text(name) for name in _SCRIPTS)
    blocks = {name: _file("runtime", file).read_bytes() for name, file in _RUNTIME.items()}
    blocks[_MODEL] = gzip.compress(model, 9, mtime=0)
    parts = PageParts(
        policy=_policy(script),
        title=source.model.path.resolve().parent.name,
        style=_text("page.css"),
        licence=_file("runtime", "LICENSE").read_text(encoding="utf-8").strip(),
        facts=_json(_facts(source)),
        worker=_text("worker.js"),
        blocks={name: base64.b64encode(data).decode("ascii") for name, data in blocks.items()},
        script=script,
    )
    return _environment().get_template("page.html").render(page=parts)


def embedded_model(text: str) -> bytes:
    """Return the model of a page that :func:`page` made.

    Raises:
        ModelError: there is none.
    """
    _, found, rest = text.partition(f'data-block="{_MODEL}">\n')
    packed, ended, _ = rest.partition("\n<")
    if not found or not ended:
        raise ModelError("The page must contain a model. This page contains none. Export it again.")
    try:
        content = base64.b64decode(packed, validate=True)
        unpacking = zlib.decompressobj(_GZIP)
        # Weights hardly shrink; what grows without end is no model.
        model = unpacking.decompress(content, _MOST_UNPACKED + _MOST_GROWTH * len(content))
        if not unpacking.eof:
            raise ValueError("it is incomplete")
    except (ValueError, zlib.error) as error:
        raise ModelError(
            "The page must contain a model. Unpacking this one failed: {reason}. Export it again.",
            reason=error,
        ) from error
    return model


def runtime_version() -> str:
    """Return the version of onnxruntime-web, as it lies in the package."""
    return str(_runtime_facts()["version"])


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("eyebright.exporting", "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )


def _facts(source: ExportSource) -> JsonObject:
    """Return what the page's script must know."""
    version = runtime_version()
    return {
        "labels": source.labels,
        "side": source.size,
        "lang": language(),
        "several": source.model.decisions.multilabel,
        "texts": _in_each_language(texts),
        "terms": _in_each_language(lambda: terms(source, version)),
    }


def _in_each_language(said: Callable[[], Said]) -> dict[str, Said]:
    found: dict[str, Said] = {}
    for lang in LANGUAGES:
        with speaking(lang):
            found[lang] = said()
    return found


def _json(value: object) -> str:
    """Return JSON that cannot end the element that it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _policy(script: str) -> str:
    """Return a policy that allows no script but the page's own and what it unpacks, and fetches nothing."""
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src blob: data:; style-src 'unsafe-inline'; worker-src blob:; "
        f"script-src 'sha256-{digest}' blob: 'wasm-unsafe-eval'; base-uri 'none'; form-action 'none'"
    )


@cache
def _runtime_facts() -> JsonObject:
    facts: JsonObject = json.loads(_file("runtime", "runtime.json").read_text(encoding="utf-8"))
    return facts


def _text(name: str) -> str:
    return _file(name).read_text(encoding="utf-8")


def _file(*names: str) -> Traversable:
    return files("eyebright.exporting").joinpath("web", *names)

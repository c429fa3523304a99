"""The offline page: one HTML file that recognises images in any browser."""

from __future__ import annotations

from pathlib import Path

import onnx

from eyebright.exporting.base import ExportSource, Precision, UnsupportedError
from eyebright.exporting.formats.html_page import embedded_model, page
from eyebright.exporting.formats.onnx_file import OnnxRunner
from eyebright.runtime.atomic import write_text
from eyebright.sealed.heatmap import with_heat
from eyebright.sealed.model import set_metadata

_FILE = "index.html"
_MOST_BYTES = 300_000_000  # browsers hold no longer text than about 500 MB, and the model is one in base64


class OfflinePage:
    """`index.html`: the sealed graph, ONNX Runtime Web and a small interface."""

    name = "html"
    input = "images that a person gives in a browser; the answer, classes with probabilities, and a heat map"
    packages = ()
    notes = (
        "Opens from the disk with the network off, in Chrome, Edge, Firefox and Safari of 2023 or newer.",
        "Compared and timed here: the page's own model, run by ONNX Runtime in Python.",
    )
    decides = True
    precisions: frozenset[Precision] = frozenset({"fp32", "int8"})

    def check(self, source: ExportSource) -> None:
        """Accept every network of at most 300 MB."""
        size = source.graph.ByteSize()
        if size > _MOST_BYTES:
            raise UnsupportedError(
                "An HTML page can embed a model of up to {most} MB. This model has {size} MB. Train "
                "with a smaller backbone, or export to onnx.",
                most=_MOST_BYTES // 1_000_000,
                size=size // 1_000_000,
            )

    def export(self, source: ExportSource, folder: Path) -> None:
        """Write `index.html`."""
        write_text(folder / _FILE, self.text(source))

    def text(self, source: ExportSource) -> str:
        """Return the page."""
        graph = with_heat(source.graph)
        if graph is None:
            graph = onnx.ModelProto()
            graph.CopyFrom(source.graph)
        set_metadata(graph, source.model.metadata)
        return page(source, graph.SerializeToString())

    def load(self, source: ExportSource, folder: Path, threads: int) -> OnnxRunner:
        """Take the model out of the page and load it with ONNX Runtime."""
        model = embedded_model((folder / _FILE).read_text(encoding="utf-8"))
        return OnnxRunner(model, threads)

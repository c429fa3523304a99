"""The graphs that an export tries: the model as it is, in float16, or step after step in int8."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx

from eyebright.backbones.card import Preprocessing
from eyebright.compression.float16 import halved
from eyebright.compression.int8.candidate import Rung
from eyebright.compression.int8.search import Int8Ladder
from eyebright.compression.network import Network, prepared
from eyebright.exporting.base import Format, Precision, UnsupportedError
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.precision import check_compressible
from eyebright.runtime.machine import usable_cores
from eyebright.sealed.model import SealedModel
from eyebright.verbs.export.calibration_images import squares
from eyebright.verbs.export.images import ExportImages
from eyebright.verbs.export.options import ExportConfig


class Rungs:
    """One model's compressed graphs; each is made once, however many formats try it.

    Args:
        model: the original.
        images: finds the user's images, where they are needed.
        config: precision, seed and language.
    """

    def __init__(self, model: SealedModel, images: Callable[[], ExportImages], config: ExportConfig) -> None:
        self.model = model
        self.images = images
        self.config = config
        self.precision: Precision = "int8" if config.int8 else "fp16" if config.fp16 else "fp32"
        self._waiting = self._make()
        self._made: list[Rung] = []
        self._failed: Exception | None = None

    def __iter__(self) -> Iterator[Rung]:
        """The graphs, the most wanted first."""
        place = 0
        while True:
            if place == len(self._made):
                if self._failed is not None:
                    raise self._failed
                try:
                    self._made.append(next(self._waiting))
                except StopIteration:
                    return
                except Exception as error:  # a generator that raised is over: the next format must hear why
                    self._failed = error
                    raise
            yield self._made[place]
            place += 1

    def _make(self) -> Iterator[Rung]:
        graph = onnx.load(self.model.path)
        if self.precision == "fp32":
            yield Rung("unchanged", graph)
            return
        check_compressible(self.model, graph)
        network = self._network(graph)
        if self.precision == "fp16":
            yield halved(network)
            return
        config, size = self.config, self.model.size
        interpolation = Preprocessing(**self.model.card["preprocessing"]).interpolation
        images = squares(self.images(), size, interpolation, config.seed)
        yield from Int8Ladder(network, images, usable_cores()).rungs()

    def _network(self, graph: onnx.ModelProto) -> Network:
        taps: list[str] = self.model.card["taps"]
        return prepared(graph, [tap.rpartition(":")[0] for tap in taps], self.model.size)


def check_precision(target: Format, precision: Precision) -> None:
    """Makes sure that a format holds a precision.

    Raises:
        UnsupportedError: it does not; the text names those that do.
    """
    if precision not in target.precisions:
        raise UnsupportedError(
            "The format must support {precision}. {format} does not. Use {others}, or remove --{precision}.",
            precision=precision,
            format=target.name,
            others=", ".join(
                name for name, other in FORMATS.items() if precision in other.precisions
            ).replace("onnx-plain", "onnx --plain"),
        )

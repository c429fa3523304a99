"""The graphs that an export tries: the model as it is, in float16, or one int8 candidate after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx

from eyebright.compression.backbone import prepare_backbone
from eyebright.compression.candidate import QuantisationCandidate, to_float16
from eyebright.compression.int8.search import Int8Search
from eyebright.exporting.base import Format, Precision, UnsupportedError
from eyebright.exporting.catalog import FORMATS
from eyebright.exporting.precision import check_compressible
from eyebright.runtime.machine import usable_cores
from eyebright.sealed.model import SealedModel
from eyebright.verbs.export.images import ExportImages, read_calibration_images


def quantisation_candidates(
    model: SealedModel, precision: Precision, images: Callable[[], ExportImages], seed: int
) -> Iterator[QuantisationCandidate]:
    """Yield a model's graphs in a precision, the most wanted first; each is computed when it is needed.

    Args:
        model: the original.
        precision: of the graphs.
        images: returns the user's images; int8 alone needs them.
        seed: of the draw of calibration images.

    Raises:
        UnsupportedError: the model was compressed before.
        DataError: the training images are missing, or there are too few.
    """
    graph = onnx.load(model.path)
    if precision == "fp32":
        yield QuantisationCandidate("unchanged", graph)
        return
    check_compressible(model, graph)
    backbone = prepare_backbone(graph, model.card.feature_layers, model.size)
    if precision == "fp16":
        yield to_float16(backbone)
        return
    interpolation = model.card.preprocessing.interpolation
    calibration = read_calibration_images(images(), model.size, interpolation, seed)
    yield from Int8Search(backbone, calibration, usable_cores()).candidates()


def check_precision(target: Format, precision: Precision) -> None:
    """Make sure that a format can hold a precision.

    Raises:
        UnsupportedError: it cannot; the text names those that can.
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

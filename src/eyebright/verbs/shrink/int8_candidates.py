"""What int8 makes of a candidate: the first rungs of the ladder that `eyebright export --int8` climbs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from eyebright.data.manifest import Manifest
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.verbs.export.candidates import Rungs
from eyebright.verbs.export.images import ExportImages
from eyebright.verbs.export.options import ExportConfig

_RUNGS = (
    2  # of each candidate; further ones take minutes, and an export climbs them for the one that is chosen
)


def quantised(model: Path, path: Path, manifest: Manifest, seed: int) -> Iterator[Path]:
    """Writes one int8 model after the other, each more careful than the one before.

    Args:
        model: the sealed model in float32.
        path: where the first goes; a number is added to the names of the others.
        manifest: whose training images calibrate.
        seed: of their draw.

    Yields:
        Where a model lies now.

    Raises:
        DataError: the training images are gone, or too few.
    """
    sealed = SealedModel(model, threads=1)
    images = ExportImages(manifest.root, manifest.of("val"), manifest.of("train"))
    config = ExportConfig(model=model, to=["onnx"], int8=True, seed=seed)
    rungs = islice(Rungs(sealed, lambda: images, config), _RUNGS)
    for number, rung in enumerate(rungs, start=1):
        one = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        facts = {k: v for k, v in sealed.metadata.items() if k not in ("labels", "metrics")}
        write_sealed(one, rung.graph, sealed.labels, {**facts, "compression": rung.summary})
        yield one

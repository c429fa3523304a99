"""What int8 makes of a candidate: the first rungs of the ladder that `eyebright export --int8` climbs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from eyebright.config.export import ExportConfig
from eyebright.data.manifest import Manifest
from eyebright.runtime.progress import SILENT
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.stages.export_images import ExportImages
from eyebright.stages.export_rungs import Rungs
from eyebright.types import Lang

_RUNGS = (
    2  # of each candidate; further ones take minutes, and an export climbs them for the one that is chosen
)


def quantised(model: Path, path: Path, manifest: Manifest, seed: int, lang: Lang) -> Iterator[str]:
    """Writes one int8 model after the other to ``path``, each more careful than the one before.

    Args:
        model: the sealed model in float32.
        path: where to.
        manifest: whose training images calibrate.
        seed: of their draw.
        lang: of errors.

    Yields:
        How the model that now lies there was made, in English.
    """
    sealed = SealedModel(model, threads=1)
    images = ExportImages(manifest.root, manifest.of("val"), manifest.of("train"))
    config = ExportConfig(model=model, to=["onnx"], int8=True, seed=seed, lang=lang)
    for rung in islice(Rungs(sealed, lambda: images, config, SILENT), _RUNGS):
        facts = {k: v for k, v in sealed.metadata.items() if k not in ("labels", "metrics")}
        write_sealed(path, rung.graph, sealed.labels, {**facts, "compression": rung.summary})
        yield rung.summary

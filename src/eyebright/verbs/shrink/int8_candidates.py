"""Int8 versions of a candidate: the first quantisation candidates that `eyebright export --int8` tries."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from eyebright.data.manifest import Manifest
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.verbs.export.candidates import quantisation_candidates
from eyebright.verbs.export.images import ExportImages

_CANDIDATES = 2  # of each model; further ones take minutes, and an export tries them for the selected one


def quantised(model: Path, path: Path, manifest: Manifest, seed: int) -> Iterator[Path]:
    """Write one int8 model after another, each keeping more accuracy than the last.

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
    candidates = quantisation_candidates(sealed, "int8", lambda: images, seed)
    for number, candidate in enumerate(islice(candidates, _CANDIDATES), start=1):
        one = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        facts = {k: v for k, v in sealed.metadata.items() if k not in ("labels", "metrics")}
        write_sealed(one, candidate.graph, sealed.labels, {**facts, "compression": candidate.summary})
        yield one

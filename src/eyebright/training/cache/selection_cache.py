"""The choice of input size and layers, remembered as the engines' race is.

It follows from the images, their labels, the features and the code that compares them, and from nothing else.
A second training on the same images then goes straight to its head.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import scipy

from eyebright.data.manifest import Sample
from eyebright.runtime.atomic import write_text
from eyebright.training.linear_probe.selection import ProbeCandidate

_FOLDER = "choices"  # in the cache
# Modules whose code decides which candidate is best; a change of any of them makes another choice.
_PROBE = Path(__file__).parents[1] / "linear_probe"
_CODE = (
    "folds",
    "head",
    "lda",
    "logistic",
    "multilabel",
    "pca",
    "probe",
    "regularisation_path",
    "selection",
    "targets",
)


@dataclass(frozen=True)
class Selection:
    """What was chosen, of which candidates.

    Attributes:
        size: S in pixels.
        layers: the tap set's name.
        sizes, tap_sets: the candidates; none where there was nothing to choose.
    """

    size: int
    layers: str
    sizes: list[ProbeCandidate] = field(default_factory=list)
    tap_sets: list[ProbeCandidate] = field(default_factory=list)


def remembered(
    cache: Path, samples: Sequence[Sample], facts: Sequence[object], choose: Callable[[], Selection]
) -> Selection:
    """The choice that was made for the same samples, facts and code, or the one that ``choose`` makes now.

    Args:
        cache: the feature cache's folder.
        samples: of the training part.
        facts: all else that the choice hangs on.
        choose: compares the candidates.
    """
    content = blake2b(digest_size=16)
    for sample in samples:
        content.update(f"{sample.sha} {sample.label}\0{sample.group}\0".encode())
    content.update(json.dumps([str(fact) for fact in facts]).encode())
    content.update(f"{np.__version__} {scipy.__version__}".encode())
    for name in _CODE:
        content.update((_PROBE / f"{name}.py").read_bytes())
    path = cache / _FOLDER / f"{content.hexdigest()}.json"
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        sizes, tap_sets = ([ProbeCandidate(**row) for row in found[key]] for key in ("sizes", "tap_sets"))
        return Selection(found["size"], found["layers"], sizes, tap_sets)
    choice = choose()
    write_text(path, json.dumps(asdict(choice), indent=1))
    return choice

"""The selection of input size, layers and views, cached as that of the engine is.

It follows from the images, their labels, the features and the code that compares them, and from nothing else.
A second training on the same images then goes straight to its head.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from eyebright.data.manifest import Sample
from eyebright.runtime.remembered import remember, remembered
from eyebright.training.linear_probe.selection import ProbeCandidate, Selection, Setting

#: The folder of the cache that holds what was chosen or found once, as JSON.
FOLDER = "choices"
# Modules whose code decides which candidate is best; a change of any of them makes another choice.
_PACKAGE = Path(__file__).parents[2]
_PROBE = "training/linear_probe"
_COMPARED = ("sizes", "feature_layer_sets", "views")
_CODE = (
    "task/logits.py",
    "task/task.py",
    f"{_PROBE}/folds.py",
    f"{_PROBE}/head.py",
    f"{_PROBE}/lda.py",
    f"{_PROBE}/logistic.py",
    f"{_PROBE}/multilabel.py",
    f"{_PROBE}/pca.py",
    f"{_PROBE}/probe.py",
    f"{_PROBE}/regularisation_path.py",
    f"{_PROBE}/selection.py",
    f"{_PROBE}/targets.py",
)


def cached_selection(
    cache: Path, samples: Sequence[Sample], facts: Sequence[object], choose: Callable[[], Selection]
) -> Selection:
    """Return the selection cached for the same samples, facts and code, or the one that ``choose`` makes.

    Args:
        cache: the feature cache's folder.
        samples: of the training split.
        facts: all else that the choice hangs on.
        choose: compares the candidates.
    """
    content = blake2b(digest_size=16)
    for sample in samples:
        content.update(f"{sample.key.hex()} {sample.label}\0{sample.together}\0{sample.weight}".encode())
    content.update(json.dumps([str(fact) for fact in facts]).encode())
    content.update(f"{np.__version__} {scipy.__version__}".encode())
    for name in _CODE:
        content.update((_PACKAGE / name).read_bytes())
    path = cache / FOLDER / f"{content.hexdigest()}.json"
    found: Any = remembered(path)
    if found is not None:
        compared = ([ProbeCandidate(**row) for row in found[key]] for key in _COMPARED)
        return Selection(Setting(**found["setting"]), *compared)
    choice = choose()
    remember(path, asdict(choice))
    return choice

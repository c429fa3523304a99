"""How many key strokes it takes to label a folder of images in the studio, played with the true labels.

A person sees a page, corrects what is wrong on it, and accepts it. Counted as one stroke each: the digit of a
class, Enter, and the letter of an image. Of a page without suggestions the most frequent class is taken, and
the images of other classes are taken out. On a page with suggestions, an image's letter gives it its next
likely class; from the third on, its letter and a digit are two strokes. A digit first, and each letter after
it gives that class: one stroke more for all images of the class. An image that is too sure to have a letter
takes two strokes. Naming the classes is counted apart.

    python benchmarks/studio.py DATA [--images 1000] [--seed 0]

Then the same photographs arrive in an empty studio, in chunks as the page sends them, in folders whose names
are taken as classes, and a model is trained: the seconds until it is there, with an empty cache.

DATA is a folder of class folders, or with splits of them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

import numpy as np

from eyebright.data.source import scan_as_given
from eyebright.labelling.features import features_of
from eyebright.labelling.groups import Group, next_group
from eyebright.labelling.intake import Intake
from eyebright.labelling.label_files import write_table
from eyebright.labelling.project import Project
from eyebright.labelling.suggestions import Suggester
from eyebright.runtime.context import showing
from eyebright.verbs.studio.pages.label import LETTERS
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.train import train

_CHUNK = 50  # files of a request, as the page sends them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    manifest, _ = scan_as_given(given.data)
    once = list({sample.sha: sample for sample in manifest.samples}.values())
    drawn = np.random.default_rng(given.seed).permutation(len(once))[: given.images]
    samples = [once[place] for place in drawn]
    begin = time.perf_counter()
    suggester = Suggester(features_of(manifest.root, samples)[0])
    ready = time.perf_counter() - begin
    truth = {sample.sha: sample.label for sample in samples}
    strokes, pages, waits = _label(suggester, truth)
    classes = sorted(set(truth.values()))
    found = {
        "images": len(truth),
        "classes": len(classes),
        "strokes": strokes,
        "strokes_to_name_classes": sum(len(name) + 2 for name in classes),
        "pages": pages,
        "features_seconds": round(ready, 1),
        "page_seconds_median": round(float(np.median(waits)), 3),
        "page_seconds_max": round(max(waits), 3),
    }
    print(json.dumps(found | _first_model([(s.label, manifest.root / s.path) for s in samples]), indent=1))


def _first_model(photographs: list[tuple[str, Path]]) -> dict[str, float]:
    """Return how long it takes from the drop of photographs, each with its class, to a model."""
    with tempfile.TemporaryDirectory() as name:
        os.environ["EYEBRIGHT_CACHE"] = f"{name}/cache"
        folder = Path(name, "photos")
        folder.mkdir()
        begin, worked = time.perf_counter(), time.process_time()
        project = Project(folder)
        intake = Intake(project)
        for start in range(0, len(photographs), _CHUNK):
            some = photographs[start : start + _CHUNK]
            intake.missing([sha256(path.read_bytes()).hexdigest() for _, path in some])
            intake.take([(f"{label}/{path.name}", path.read_bytes()) for label, path in some])
        arrived = time.perf_counter() - begin
        project.store.add("me", list(project.folder_labels().items()))
        with showing(False):
            run = train(TrainConfig(data=write_table(project).parent, out=folder / "run"))
        taken = {
            "arrival_seconds": round(arrived, 1),
            "model_seconds": round(time.perf_counter() - begin, 1),
            "model_processor_seconds": round(time.process_time() - worked, 1),
        }
        project.store.close()
        return taken | {"accuracy": round(run.metrics["accuracy"]["value"], 4)}


def _label(suggester: Suggester, truth: dict[str, str]) -> tuple[int, int, list[float]]:
    """Return the strokes, the pages, and the seconds until each page was there."""
    labels: dict[str, str] = {}
    pool = set(suggester.features.shas)
    strokes, waits = 0, []
    while pool:
        begin = time.perf_counter()
        group = next_group(suggester, labels, pool)
        waits.append(time.perf_counter() - begin)
        done, cost = _work(group, truth)
        strokes += cost
        labels |= done
        pool -= done.keys()
    return strokes, len(waits), waits


def _work(group: Group, truth: dict[str, str]) -> tuple[dict[str, str], int]:
    """Return the labels that a person gives on a page, and with how many strokes."""
    if not group.suggested:
        label = Counter(truth[tile.sha] for tile in group.tiles).most_common(1)[0][0]
        kept = {tile.sha: label for tile in group.tiles if truth[tile.sha] == label}
        return kept, 1 + len(group.tiles) - len(kept)
    doubtful = sorted(group.tiles, key=lambda tile: tile.probability)[: len(LETTERS)]
    lettered = {tile.sha for tile in doubtful}
    wrong: defaultdict[str, list[int]] = defaultdict(list)
    for tile in group.tiles:
        label = truth[tile.sha]
        rank = tile.guesses.index(label) if label in tile.guesses else 2
        if rank:
            wrong[label].append(min(rank, 2) if tile.sha in lettered else 2)
    strokes = 1 + sum(min(sum(costs), 1 + len(costs)) for costs in wrong.values())
    return {tile.sha: truth[tile.sha] for tile in group.tiles}, strokes


if __name__ == "__main__":
    main()

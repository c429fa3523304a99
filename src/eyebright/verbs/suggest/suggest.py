"""`suggest`: which unlabelled images to label next, each with why, and what all of them may bring."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from eyebright.data.manifest import Manifest, Sample
from eyebright.data.manifest_file import read_manifest
from eyebright.data.storage.places import is_folder
from eyebright.data.unlabelled import distinct, scan_unlabelled
from eyebright.errors import DataError, ModelError, NotFoundError
from eyebright.few_labels.expected import ExpectedGain, expected_gain
from eyebright.few_labels.suggesting import choose
from eyebright.report.display import Displayed, ResultTable
from eyebright.runtime.context import progress_task, say, stage
from eyebright.sealed.inference import predict_blocks
from eyebright.sealed.model import SealedModel
from eyebright.text.format import decimal
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.training.cache.store import Rows, default_folder
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.probe import IN_MEMORY_BYTES
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import FloatArray, Skipped
from eyebright.verbs.suggest.options import SuggestConfig
from eyebright.verbs.suggest.page import page
from eyebright.verbs.suggest.words import gain_sentences, reason_sentence

_MANIFEST = "manifest.parquet"
_SHOWN = 20
_FEWEST = 2


@dataclass(frozen=True)
class SuggestedImage:
    """An image to label.

    Attributes:
        path: as it can be opened from the current folder.
        score: how urgent, from 0 to 1.
        reason: why, as a sentence.
    """

    path: str
    score: float
    reason: str


@dataclass(frozen=True, repr=False)
class Suggested(Displayed):
    """The result of `suggest`; it shows the most urgent images when it is printed.

    Attributes:
        title: the run's name.
        images: to label, the most urgent first.
        pool: number of unlabelled images that they were chosen from.
        expected: what labelling them may bring; None of too few labels for a forecast.
        skipped: files that could not be read.
    """

    title: str
    images: Sequence[SuggestedImage]
    pool: int
    expected: ExpectedGain | None
    skipped: Sequence[Skipped]

    def sentences(self) -> list[str]:
        """Return what was chosen, and what it may bring."""
        chosen = translate(
            "Label these {count:image|images} of {pool} next.", count=len(self.images), pool=self.pool
        )
        return [chosen, *gain_sentences(self.expected, len(self.images))]

    def display(self) -> Iterator[str | ResultTable]:
        """Yield what to label, why, and what it may bring."""
        yield "\n".join(self.sentences())
        head = [translate("Image"), translate("Score"), translate("Why")]
        shown = self.images[:_SHOWN]
        yield ResultTable(
            [head, *([printable(i.path), decimal(i.score, 2), i.reason] for i in shown)], right=(1,)
        )
        if len(self.images) > len(shown):
            yield translate(
                "Showing {shown} of {count}. `--format csv` lists all, `--format html` shows them.",
                shown=len(shown),
                count=len(self.images),
            )

    def write_csv(self, file: TextIO) -> None:
        """Write the rows path, score and reason."""
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["path", "score", "reason"])
        rows.writerows([image.path, f"{image.score:.4f}", image.reason] for image in self.images)

    def page(self) -> str:
        """Return a page with the pictures."""
        return page(self.title, self.sentences(), [(i.path, i.score, i.reason) for i in self.images])


@stage
def suggest(config: SuggestConfig) -> Suggested:
    """Choose the images whose labels are expected to help a run's model most.

    Args:
        config: which run, which images, how many.

    Raises:
        NotFoundError: the run, its manifest or the images do not exist.
        DataError: no unlabelled image can be read, or the run is multi-label.
        ModelError: the file is not a sealed model, or was compressed so that features cannot be had.
    """
    model = SealedModel(config.run, threads=1)
    known = _known(model)
    if model.task.multilabel:
        raise DataError(
            "`eyebright suggest` requires single-label data. In {path}, an image may have several labels. "
            "Look at the least certain ones with `eyebright predict` instead.",
            path=model.path,
        )
    found = scan_unlabelled(config.folder, config.path)
    found, identities = distinct(found, known)
    labelled = set(identities.values())
    pool = [s for s in found.samples if s.identity not in labelled]
    pool = _affordable(model, pool, config.seed)
    learned = known.of("train")
    ours, _, kept, _ = _features(model, known.root, learned)
    theirs, probabilities, free, skipped = _features(model, found.root, pool)
    if len(free) < _FEWEST:
        raise DataError(
            "There must be unlabelled images to choose from. {path} has {count} that can be read and are not "
            "among the {known} of the run. Give another folder.",
            path=config.folder,
            count=len(free),
            known=len(known.samples),
        )
    if not len(kept):
        raise DataError(
            "The training images of the run must still be available. None of them is below {path}. Bring "
            "them back, or train again.",
            path=known.root,
        )
    truth = truth_of(kept, known)
    with progress_task("Choosing images"):
        chosen = choose(ours, theirs, probabilities, config.count, config.seed)
    groups = groups_of(kept)
    expected = expected_gain(ours, truth, groups, len(model.labels), len(chosen), config.seed)
    base = config.folder if is_folder(config.folder) else config.folder.parent
    images = [
        SuggestedImage(
            os.path.normpath(base / free[choice.place].path),
            choice.score,
            reason_sentence(choice, model.labels),
        )
        for choice in chosen
    ]
    title = model.path.resolve().parent.name
    return Suggested(title, images, len(free), expected, [*found.skipped, *skipped])


def _known(model: SealedModel) -> Manifest:
    path = model.path.with_name(_MANIFEST)
    if not path.is_file():
        raise NotFoundError(
            "The run must say which images have labels. There is no {name} beside {path}. Use a directory "
            "that `eyebright train` or `eyebright update` wrote.",
            name=_MANIFEST,
            path=model.path,
        )
    return read_manifest(path)


def _affordable(model: SealedModel, pool: list[Sample], seed: int) -> list[Sample]:
    """Return as many images as have room in memory with their features, drawn where there are more."""
    split = model.split_model
    most = IN_MEMORY_BYTES // (4 * split.width) if split is not None else len(pool)
    if len(pool) <= most:
        return pool
    say("Of {total} unlabelled images {count} are looked at, drawn by chance.", total=len(pool), count=most)
    order = sorted(pool, key=lambda s: (s.identity, s.path))
    return [order[place] for place in np.sort(np.random.default_rng(seed).permutation(len(order))[:most])]


def _features(
    model: SealedModel, root: Path, samples: Sequence[Sample]
) -> tuple[Rows, FloatArray, list[Sample], list[Skipped]]:
    """Return features (n, D) and probabilities (n, K) of the samples that can be read, and the others."""
    rows: list[Rows] = []
    probabilities: list[FloatArray] = []
    kept: list[Sample] = []
    skipped: list[Skipped] = []
    with progress_task("Running the sealed model", total=len(samples)) as task:
        for block in predict_blocks(model, root, samples, default_folder()):
            if block.features is None:
                raise ModelError(
                    "Images are chosen by the features of the model. {path} does not give them: it was "
                    "compressed. Use the run that it was made from.",
                    path=model.path,
                )
            rows.append(block.features.astype(np.float16))
            probabilities.append(block.probabilities)
            kept += block.samples
            skipped += block.skipped
            task.advance(len(block.samples) + len(block.skipped))
    if not kept:
        return np.zeros((0, 0), np.float16), np.zeros((0, 0), np.float32), [], skipped
    return np.concatenate(rows), np.concatenate(probabilities), kept, skipped

"""Training data behind a frozen part: its rows are computed once for each view of an image, and kept.

Each epoch shows another of a few augmented views. A view's augmentation depends on the image, the view's
number and the seed alone, so that its row stays good when images are added, when a run is killed half-way,
and in the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eyebright.data.manifest import Sample
from eyebright.language import translate
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import SILENT, Progress, Task
from eyebright.training.cache import FeatureSpace, Rows
from eyebright.training.finetune.augment import COLUMNS, Augmentation, plan
from eyebright.training.finetune.mix import Mixing, MixPlan, before, plan_mix
from eyebright.training.finetune.pixel_data import as_inputs, one_hot
from eyebright.training.finetune.pixels import Pixels
from eyebright.types import IntArray

#: Pixels (b, 3, S, S) float32 from 0 to 255, on the CPU → rows (b, D) float32.
FrozenPart = Callable[[Tensor], Tensor]

_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Prefix:
    """A frozen part of a network.

    Attributes:
        run: computes its rows.
        width: D.
        card: what defines the rows beside the pixels, as plain JSON: `backbone` and `backbone_sha`, where the
            network is cut, what else a row holds.
        threads: whether ``run`` may be called by several threads at once; then each passes one image at a
            time, which engines like best. Otherwise a batch at a time is passed.
    """

    run: FrozenPart
    width: int
    card: dict[str, Any]
    threads: bool = False


class PrefixData:
    """Inputs (b, D) float32: rows of a frozen part.

    Args:
        prefix: the frozen part.
        pixels: the training images, of ``augmentation.stored_size(S)``.
        truth: (N,) their class numbers.
        held_out: the held-out images, of size S.
        held_out_truth: their class numbers.
        classes: K.
        augmentation: of the training images; where it changes nothing there is one view.
        cache: folder that rows are kept in.
        views: of each training image; epoch e shows view e % views.
        seed: of the augmentation.
        mixup: Beta's parameter for mixing rows of two images; 0 mixes none.
    """

    def __init__(
        self,
        prefix: Prefix,
        pixels: Pixels,
        truth: IntArray,
        held_out: Pixels,
        held_out_truth: IntArray,
        classes: int,
        augmentation: Augmentation,
        cache: Path,
        views: int = 4,
        seed: int = 0,
        mixup: float = 0.0,
    ) -> None:
        self.count, self.classes = len(truth), classes
        self._prefix, self._pixels, self._held_out = prefix, pixels, held_out
        self.truth, self._held_out_truth = torch.from_numpy(truth), torch.from_numpy(held_out_truth)
        self._augmentation, self._seed, self._mixing = augmentation, seed, Mixing(mixup)
        plain = {"size": held_out.size, "precision": "float16", **prefix.card}
        chance = {"augmentation": asdict(augmentation), "seed": seed, "stored": pixels.size}
        self._plain = FeatureSpace(cache, plain | {"view": "plain"}, prefix.width)
        self._views = [
            FeatureSpace(cache, plain | chance | {"view": view}, prefix.width)
            for view in range(1 if augmentation == Augmentation() else views)
        ]

    @property
    def size_bytes(self) -> int:
        """What all rows take on disk."""
        rows = len(self._views) * len(self._pixels.samples) + len(self._held_out.samples)
        return rows * self._prefix.width * np.dtype(np.float16).itemsize

    def compute(self, batch: int = 16, progress: Progress = SILENT, lang: str = "en") -> None:
        """Computes the rows that the cache lacks, ``batch`` images at a time.

        Raises:
            StorageError: the disk lacks room; nothing was computed.
        """
        count = sum(len(job.missing) for job in self._jobs())
        self._plain.check_room(count)
        if not count:
            return
        with progress.task(translate("Computing what stays frozen", lang), total=count) as task:
            for job in self._jobs():
                if len(job.missing):
                    job.space.keep(self._made(job, batch, task))

    def draw(self, places: IntArray, epoch: int, generator: torch.Generator) -> PrefixBatch:
        """See :class:`~eyebright.training.finetune.data.TrainData`."""
        mixed = plan_mix(self._mixing, len(places), self._held_out.size, generator) if self._mixing else None
        return PrefixBatch(self, places, epoch % len(self._views), mixed)

    def held_out(self, batch: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """See :class:`~eyebright.training.finetune.data.TrainData`."""
        keys = _keys(self._held_out.samples)
        for begin in range(0, len(keys), batch):
            rows = self._plain.read(keys[begin : begin + batch])
            yield _to_device(rows, device), self._held_out_truth[begin : begin + batch].to(device)

    def rows(self, view: int, places: IntArray, device: torch.device) -> Tensor:
        """(b, D) of one view of the training images at ``places``."""
        samples = [self._pixels.samples[place] for place in places]
        return _to_device(self._views[view].read(_keys(samples)), device)

    def _jobs(self) -> Iterator[_Job]:
        yield _Job(self._plain, self._held_out.samples, self._held_out_inputs)
        for view, space in enumerate(self._views):
            yield _Job(space, self._pixels.samples, partial(self._view_inputs, view))

    def _held_out_inputs(self, places: IntArray) -> Tensor:
        return as_inputs(torch.from_numpy(self._held_out.rows(places)))

    def _view_inputs(self, view: int, places: IntArray) -> Tensor:
        samples = [self._pixels.samples[place] for place in places]
        chances = torch.from_numpy(np.stack([_chances(self._seed, view, s) for s in samples]))
        drawn = plan(self._augmentation, self._held_out.size, chances)
        return drawn.apply(torch.arange(len(places)), torch.from_numpy(self._pixels.rows(places)))

    def _made(self, job: _Job, batch: int, task: Task) -> Iterator[tuple[bytes, Rows]]:
        def rows(places: IntArray) -> tuple[IntArray, Rows]:
            with torch.no_grad():
                found = self._prefix.run(job.inputs(places)).float().clamp(-_LARGEST, _LARGEST)
            return places, found.cpu().numpy().astype(np.float16)

        step = 1 if self._prefix.threads else batch
        parts = np.split(job.missing, range(step, len(job.missing), step))
        for places, found in parallel(rows, parts) if self._prefix.threads else map(rows, parts):
            task.advance(len(places))
            yield from zip(_keys([job.samples[place] for place in places]), found, strict=True)


class _Job:
    """The rows of one space that are to be computed."""

    def __init__(
        self, space: FeatureSpace, samples: Sequence[Sample], inputs: Callable[[IntArray], Tensor]
    ) -> None:
        self.space, self.samples, self.inputs = space, samples, inputs
        first = {s.sha: place for place, s in reversed(list(enumerate(samples)))}  # equal images share a row
        lacking = sorted(place for sha, place in first.items() if bytes.fromhex(sha) not in space)
        self.missing = np.array(lacking, np.int64)


@dataclass(frozen=True)
class PrefixBatch:
    """An effective batch of rows."""

    data: PrefixData
    places: IntArray
    view: int
    mixed: MixPlan | None

    @property
    def size(self) -> int:
        """Images in the batch."""
        return len(self.places)

    def part(self, rows: slice, device: torch.device) -> tuple[Tensor, Tensor]:
        """See :class:`~eyebright.training.finetune.data.Drawn`."""
        if self.mixed is None:
            return self._plain(self.places[rows], device)
        inputs, targets = self._plain(self.places[before(rows, self.size).numpy()], device)
        places = torch.arange(rows.start, rows.stop)
        return (
            self.mixed.rows(places, inputs[1:], inputs[:-1]),
            self.mixed.rows(places, targets[1:], targets[:-1]),
        )

    def _plain(self, places: IntArray, device: torch.device) -> tuple[Tensor, Tensor]:
        truth = self.data.truth[torch.from_numpy(places)]
        return self.data.rows(self.view, places, device), one_hot(truth, self.data.classes, device)


def _chances(seed: int, view: int, sample: Sample) -> np.ndarray:
    """The random numbers of one view of one image."""
    return np.random.default_rng([seed, view, int(sample.sha, 16)]).random(COLUMNS, np.float32)


def _keys(samples: Sequence[Sample]) -> list[bytes]:
    return [bytes.fromhex(s.sha) for s in samples]


def _to_device(rows: Rows, device: torch.device) -> Tensor:
    """Half the bytes travel; float32 is made where they arrive."""
    return torch.from_numpy(rows).to(device).float()

"""Rows of something that does not learn (a frozen stem, a teacher), computed once for each view of an image.

A view's augmentation depends on the image, the view's number and the seed alone, so that its row stays good
when images are added, when a run is killed half-way, and in the next run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eyebright.data.manifest import Sample
from eyebright.runtime.context import progress
from eyebright.runtime.parallel import parallel
from eyebright.runtime.progress import Task
from eyebright.training.cache.store import FeatureSpace, Rows
from eyebright.training.finetune.data.augment import COLUMNS, Augmentation, AugmentPlan, plan
from eyebright.training.finetune.data.pixels import Pixels
from eyebright.types import IntArray, Json, JsonObject

#: Pixels (b, 3, S, S) float32 from 0 to 255, on the CPU → rows (b, D) float32.
StemFunction = Callable[[Tensor], Tensor]

_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class ActivationSource:
    """A frozen stem of a network, or a whole one.

    Attributes:
        run: computes its rows.
        width: D.
        card: what defines the rows beside the pixels, as plain JSON: `backbone` and `backbone_sha`, where the
            network is cut, what else a row holds.
        threads: whether ``run`` may be called by several threads at once; then each passes one image at a
            time, which engines like best. Otherwise a batch at a time is passed.
    """

    run: StemFunction
    width: int
    card: Mapping[str, Json]
    threads: bool = False


class CachedViews:
    """Rows of augmented views of the training images.

    Args:
        source: what computes them.
        pixels: the training images, of ``augmentation.stored_size(size)``.
        size: S of the views.
        augmentation: of the images; where it changes nothing there is one view.
        cache: folder that rows are kept in.
        views: of each image.
        seed: of the augmentation.
    """

    def __init__(
        self,
        source: ActivationSource,
        pixels: Pixels,
        size: int,
        augmentation: Augmentation,
        cache: Path,
        views: int,
        seed: int,
    ) -> None:
        self.source, self.pixels, self.size, self.cache = source, pixels, size, cache
        self.count = 1 if augmentation == Augmentation() else views
        self._augmentation, self._seed = augmentation, seed
        chance: JsonObject = {"augmentation": asdict(augmentation), "seed": seed, "stored": pixels.size}
        card = {"size": size, "precision": "float16", **source.card, **chance}
        self._spaces = [
            FeatureSpace(cache, {**card, "view": view}, source.width) for view in range(self.count)
        ]

    def jobs(self) -> Iterator[ActivationJob]:
        """Yield what the cache may lack, view by view."""
        for view, space in enumerate(self._spaces):
            yield ActivationJob(space, self.pixels.samples, partial(self._inputs, view))

    def limit(self, count: int) -> None:
        """Use the first ``count`` views only: the others have not been computed."""
        self.count = count
        self._spaces = self._spaces[:count]

    def plan(self, view: int, places: IntArray, size: int) -> AugmentPlan:
        """Return the augmentation of the images at ``places`` in a view, for inputs of any ``size``."""
        return view_plan(self._augmentation, size, self._seed, view, [self.pixels.samples[p] for p in places])

    def read(self, view: int, places: IntArray, device: torch.device) -> Tensor:
        """Return (b, D) float32 of one view of the images at ``places``; they must have been computed."""
        rows = self._spaces[view].read(keys_of([self.pixels.samples[place] for place in places]))
        return to_floats(rows, device)

    def _inputs(self, view: int, places: IntArray) -> Tensor:
        drawn = self.plan(view, places, self.size)
        return drawn.apply(torch.arange(len(places)), torch.from_numpy(self.pixels.rows(places)))


class ActivationJob:
    """The rows of one space that are to be computed."""

    def __init__(
        self, space: FeatureSpace, samples: Sequence[Sample], inputs: Callable[[IntArray], Tensor]
    ) -> None:
        self.space, self.samples, self.inputs = space, samples, inputs
        first = {s.key: place for place, s in reversed(list(enumerate(samples)))}  # equal images share a row
        lacking = sorted(place for key, place in first.items() if key not in space)
        self.missing = np.array(lacking, np.int64)


def cache_activations(
    source: ActivationSource,
    jobs: Callable[[], Iterator[ActivationJob]],
    batch: int,
    text: str,
    until: float | None = None,
    least: int = 1,
) -> int:
    """Compute the rows that the cache lacks; return how many of the jobs are complete.

    Args:
        source: what computes them.
        jobs: gives the work anew at each call, so that one job's places are in memory at a time.
        batch: images at a time, where the source does not take one a thread.
        text: what is being done, already translated.
        until: on the monotonic clock; a job that would end later, at the rate of those before, is not begun,
            nor are those after it. None for as long as all take.
        least: jobs that are done in any case.

    Raises:
        StorageError: the disk lacks room; nothing was computed.
    """
    missing = []
    for job in jobs():
        missing.append(len(job.missing))
        space = job.space
    if not any(missing):
        return len(missing)
    space.check_room(sum(missing))
    computed, began = 0, time.monotonic()
    with progress().task(text, total=sum(missing)) as task:
        for done, job in enumerate(jobs()):
            count, now = len(job.missing), time.monotonic()
            expected = (now - began) * count / max(computed, 1)
            if count and done >= least and until is not None and now + expected > until:
                return done
            if computed and until is not None:
                task.expect(_within(missing, least, computed * (until - began) / max(now - began, 1e-9)))
            if count:
                job.space.keep(_made(source, job, batch, task))
            computed += count
    return len(missing)


def _within(missing: Sequence[int], least: int, most: float) -> int:
    """Return how many of the missing rows will be computed where there is time for ``most``."""
    ends = list(accumulate(missing))
    return max([*ends[:least], *(end for end in ends if end <= most)])


def view_plan(
    augmentation: Augmentation, size: int, seed: int, view: int, samples: Sequence[Sample]
) -> AugmentPlan:
    """Return the augmentation of some images in one view: the same for inputs of any ``size``."""
    drawn = (np.random.default_rng([seed, view, int(s.sha, 16)]) for s in samples)
    chances = np.stack([chance.random(COLUMNS, np.float32) for chance in drawn])
    return plan(augmentation, size, torch.from_numpy(chances))


def plain_space(views: CachedViews) -> FeatureSpace:
    """Return the rows of images as they are, of the views' size."""
    source = views.source
    card: JsonObject = {"size": views.size, "precision": "float16", **source.card, "view": "plain"}
    return FeatureSpace(views.cache, card, source.width)


def keys_of(samples: Sequence[Sample]) -> list[bytes]:
    """Return the cache's keys of images."""
    return [s.key for s in samples]


def to_floats(rows: Rows, device: torch.device) -> Tensor:
    """Return the rows on the device; half the bytes travel, and float32 is made where they arrive."""
    return torch.from_numpy(rows).to(device).float()


def _made(
    source: ActivationSource, job: ActivationJob, batch: int, task: Task
) -> Iterator[tuple[bytes, Rows]]:
    def rows(places: IntArray) -> tuple[IntArray, Rows]:
        with torch.no_grad():
            found = source.run(job.inputs(places)).float().clamp(-_LARGEST, _LARGEST)
        return places, found.cpu().numpy().astype(np.float16)

    step = 1 if source.threads else batch
    batches = np.split(job.missing, range(step, len(job.missing), step))
    for places, found in parallel(rows, batches) if source.threads else map(rows, batches):
        task.advance(len(places))
        yield from zip(keys_of([job.samples[place] for place in places]), found, strict=True)

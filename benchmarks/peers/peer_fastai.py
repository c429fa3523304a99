"""fastai's `vision_learner` and `fine_tune`, as its documentation has it.

    python peer_fastai.py DATA PART --minutes N

Its first epoch trains the head alone; the others train everything. Needs fastai (2.8 was run).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from fastai.vision.all import (
    Callback,
    ImageDataLoaders,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)
from peer import ARCHITECTURE, BATCH, SIZE, Watch, epochs_within, task, weights_file


class Timed(Callback):  # type: ignore[misc]  # of a package without types
    """Counts training and tells the accuracy of every epoch."""

    def __init__(self) -> None:
        self.watch = Watch()

    def before_train(self) -> None:
        self.watch.start()

    def after_train(self) -> None:
        self.watch.stop()

    def after_epoch(self) -> None:
        self.watch.tell(float(self.learn.recorder.values[-1][-1]))


def main() -> None:
    wanted = task()
    set_seed(wanted.seed)
    epochs = epochs_within(wanted)
    loaders = ImageDataLoaders.from_folder(
        wanted.data,
        train="train",
        valid=wanted.part,
        seed=wanted.seed,
        item_tfms=Resize(SIZE),
        batch_tfms=aug_transforms(size=SIZE),
        bs=BATCH,
        num_workers=wanted.workers,
    )
    with tempfile.TemporaryDirectory() as folder:
        overlay = {"file": str(weights_file(Path(folder)))}
        learner = vision_learner(
            loaders, ARCHITECTURE, metrics=accuracy, pretrained_cfg_overlay=overlay, cbs=Timed()
        )
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(epochs)


if __name__ == "__main__":
    main()

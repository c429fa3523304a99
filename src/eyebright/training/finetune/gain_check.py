"""Whether a gain is likely: the holdout loss of weights on the way, early in a training.

Where there is something to find, a part of the first steps lowers the loss already, though the whole of them
may raise it: a high learning rate takes a solved head off its optimum first. So a training that gains nothing
at any share of the way from where it began can give its time back.
"""

from __future__ import annotations

from eyebright.text.language import translate
from eyebright.training.finetune.model.weight_interpolation import Weights, losses_between
from eyebright.training.finetune.trainer_state import TrainerState
from eyebright.training.finetune.validate import evaluate_holdout

#: Why a training ends that is not likely to gain.
NO_GAIN = "no gain"
_SHARES = (0.5, 0.25)  # of the way; the whole of it was evaluated already
# While the rate still warms up, little moves: trashnet's gain showed after two epochs.
_FEWEST_EPOCHS = 3
_LEAST = 0.01  # of the holdout loss: the least of several is a little lower by chance alone


class GainCheck:
    """Looks after each epoch until a gain is likely, or the time for it is gone.

    Attributes:
        likely: whether a gain is; None before the first epoch ended.

    Args:
        start: the weights that training begins with, by name.
        seconds: of the training, within which a gain must show; three epochs are always given.
    """

    def __init__(self, start: Weights, seconds: float) -> None:
        self._start, self._seconds = start, seconds
        self.likely: bool | None = None  # before anything was looked at

    def look(self, run: TrainerState) -> None:
        """Evaluate weights between the start and those of the epoch that has ended."""
        if self.likely:
            return
        # Those of all epochs: a run may have been resumed.
        before, *after = (row.val_loss for row in run.state.history)
        with run.averaged():
            between = losses_between(run.net, self._start, lambda: evaluate_holdout(run)[0], _SHARES)
        lowest = min([*after, *between.values()])
        self.likely = bool(lowest < (1 - _LEAST) * before)
        if self.likely:
            run.note(
                translate(
                    "A gain is likely: after epoch {epoch}, weights on the way lower the holdout loss "
                    "by {share} %.",
                    epoch=run.state.history[-1].epoch,
                    share=f"{100 * (1 - lowest / before):.0f}",
                )
            )

    def missing(self, run: TrainerState) -> bool:
        """Return whether the time and the first epochs are gone without a gain in sight."""
        return self.likely is False and run.state.epoch >= _FEWEST_EPOCHS and run.clock() >= self._seconds

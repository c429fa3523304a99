"""Training that cannot continue: the loss is NaN, or memory too small for a single image."""

from __future__ import annotations

import math

from torch import Tensor

from eyebright.errors import TrainingError
from eyebright.text.language import translate


def no_memory_for_one_image() -> TrainingError:
    """Return the error for the case that memory runs out with one image at a time."""
    return TrainingError(
        "Out of memory even with a single image. Use a smaller --size or backbone, --finetune last, "
        "or --save-memory."
    )


class NanGuard:
    """Watches the losses of the steps for NaN and infinity.

    Reading a loss makes an accelerator wait, so there several steps' losses are read together; the weights in
    memory may then have been spoilt a few steps ago, which is why checkpoints are written after a look only.

    Args:
        every: steps between two looks.
    """

    def __init__(self, every: int) -> None:
        self.total = 0.0
        self._every = every
        self._pending: list[tuple[int, float, int, Tensor]] = []

    def add(self, step: int, rate: float, images: int, loss: Tensor) -> None:
        """Take the mean loss (a scalar) of a step's ``images``, still on the device."""
        self._pending.append((step, rate, images, loss))
        if len(self._pending) >= self._every:
            self.look()

    def look(self) -> None:
        """Read what was not read yet into ``total``, the sum over images.

        Raises:
            LossNotFiniteError: a loss is NaN or infinite.
        """
        pending, self._pending = self._pending, []
        for step, rate, images, loss in pending:
            value = float(loss)
            if not math.isfinite(value):
                raise LossNotFiniteError(step, rate, value)
            self.total += value * images


class LossNotFiniteError(ArithmeticError):
    """The loss of a step was NaN or infinite; explained to the user by :meth:`why`."""

    def __init__(self, step: int, rate: float, value: float) -> None:
        super().__init__(step, rate, value)
        self.step, self.rate, self.value = step, rate, value

    def why(self, precision: str, early: bool) -> str:
        """Return the most likely cause.

        Args:
            precision: number format of the forward pass.
            early: whether the learning rate was still near its highest.
        """
        if precision == "fp16":
            return translate("fp16 cannot represent numbers above 65,504; try --precision bf16 or fp32.")
        if early:
            return translate("The learning rate is probably too high; try a tenth of it.")
        return translate("An image or a weight probably contains NaN or infinity.")

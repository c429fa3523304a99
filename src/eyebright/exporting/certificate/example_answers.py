"""The lines of Python by which an example decides, where its format does not, and tells the answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eyebright.evaluation.decisions.costs import tolerance
from eyebright.evaluation.rules.decisions import REACHED, Decisions

_CLASS = """\
    # -1 stands for an image unlike the training images; its likeliest class is only a guess.
    best = probabilities.argmax() if answer < 0 else answer
    label = "unknown" if answer < 0 else labels[answer]
    print(f"{label}\\t{probabilities[best]:.4f}")"""
_LABELS = """\
    # 1 stands for a label that holds, and -1, in all places, for an image unlike the training images.
    if answer.min() < 0:
        print(f"unknown\\t{probabilities.max():.4f}")
    for label, probability, held in zip(labels, probabilities, answer):
        if held == 1:
            print(f"{label}\\t{probability:.4f}")"""


def telling(decisions: Decisions) -> str:
    """Return lines that print ``answer``, by ``probabilities`` (K,) and ``labels``, in an example's loop."""
    return _LABELS if decisions.multilabel else _CLASS


def deciding(decisions: Decisions) -> str:
    """Return lines that set ``answer`` from ``probabilities`` (K,) as :meth:`Decisions.predict` does."""
    if decisions.multilabel:
        lines = [f"answer = (probabilities >= {_row(decisions.least)}).astype(int)"]
    elif decisions.costs is not None:
        lines = [
            "# The class whose expected cost is least; of equal ones the most probable.",
            f"cost = probabilities @ {_row(decisions.costs)}",
            f"cheap = cost <= cost.min() + {tolerance(decisions.costs)}",
            "answer = np.where(cheap, probabilities, -1).argmax()",
        ]
    elif decisions.changed:
        weight, offset = map(_row, decisions.otherwise)
        lines = [
            "# The class that exceeds its threshold the most times over, or the likeliest without one.",
            f"reached = probabilities >= {_row(decisions.least)}",
            f"excess = probabilities * {_row(decisions.gain)} + {REACHED}",
            f"answer = np.where(reached, excess, probabilities * {weight} + {offset}).argmax()",
        ]
    else:
        lines = ["answer = probabilities.argmax()"]
    return "\n".join(f"    {line}" for line in lines)


def _row(values: npt.NDArray[np.floating]) -> str:
    return f"np.float32({values.astype(np.float32).tolist()})"

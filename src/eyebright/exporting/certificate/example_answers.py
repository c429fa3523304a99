"""The lines of Python by which an example decides, where its format does not, and tells the answer."""

from __future__ import annotations

import numpy as np

from eyebright.evaluation.decisions.costs import tolerance
from eyebright.evaluation.rules.decisions import REACHED, Decisions
from eyebright.types import FloatArray

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
    """Return lines that print ``answer`` with ``probabilities`` (K,) and ``labels``, in the loop of an example."""
    return _LABELS if decisions.multilabel else _CLASS


def deciding(decisions: Decisions) -> str:
    """Return a line that sets ``answer`` from ``probabilities`` (K,) as :meth:`Decisions.predict` does."""
    found = "probabilities.argmax()"
    if decisions.multilabel:
        found = f"(probabilities >= {_row(decisions.least)}).astype(int)"
    elif decisions.costs is not None:
        table = f"np.float32({decisions.costs.astype(np.float32).tolist()})"
        return (
            f"    # The class whose expected cost is least; of equal ones the most probable.\n"
            f"    cost = probabilities @ {table}\n"
            f"    answer = np.where(cost <= cost.min() + {tolerance(decisions.costs)}, probabilities, -1).argmax()"
        )
    elif decisions.changed:
        weight, offset = map(_row, decisions.otherwise)
        return (
            f"    # The class that exceeds its threshold the most times over; else the likeliest of the others.\n"
            f"    reached = probabilities >= {_row(decisions.least)}\n"
            f"    excess = probabilities * {_row(decisions.gain)} + {REACHED}\n"
            f"    answer = np.where(reached, excess, probabilities * {weight} + {offset}).argmax()"
        )
    return f"    answer = {found}"


def _row(values: FloatArray) -> str:
    return f"np.float32({values.tolist()})"

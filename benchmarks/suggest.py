"""How many labels `eyebright suggest` saves: accuracy by number of labels, suggested and drawn by chance.

    python benchmarks/suggest.py DATA … [--seeds 5] [--first 0] [--budgets 2 3 5 7 10 15 20] [--oracle]

DATA are folders that `eyebright train` takes. Both ways begin with the same two images of each class; at each
budget (labels a class, on average) a head is solved, its accuracy measured on the test part (or else
validation), and the next images are chosen from the rest of the training part. Features are those of the
layers "stages" and cached. Printed are the mean accuracies over the seeds, and how many labels suggestions
need, as a share of random's, to reach what random reaches at each budget. With --oracle, so are those of a
choice that knows all labels of the training part: about the fewest that any way to choose can need.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from unlabelled import Data, drawn

from eyebright.few_labels.soft_labels import ImageSpace
from eyebright.few_labels.suggesting import choose
from eyebright.task.task import MultiClass
from eyebright.training.cache.store import Rows
from eyebright.training.linear_probe.head import fit_head
from eyebright.types import FloatArray, IntArray

STRENGTHS = (1e-4, 1e-5)
REACH, NOISE = 0.4, 0.1


def accuracies(data: Data, budgets: list[int], way: str, seed: int) -> list[float]:
    """Return the accuracy on the test part at each budget."""
    taps, kind = data.sets["stages"], MultiClass()
    classes = len(data.manifest.labels)
    test, truth = data.rows(taps, data.test), data.truth[data.test]
    labelled = drawn(data, budgets[0], seed)
    rng = np.random.default_rng(seed)
    found = []
    for budget, following in zip(budgets, [*budgets[1:], 0], strict=True):
        rows = data.rows(taps, labelled)
        known = data.truth[labelled]
        fit = fit_head(rows, known, classes, groups=data.groups[labelled], seed=0, strengths=STRENGTHS)
        found.append(float((fit.head.logits(test).argmax(axis=1) == truth).mean()))
        if not following:
            return found
        count = (following - budget) * classes
        rest = np.setdiff1d(data.pool, labelled)
        if way == "oracle":
            places = oracle(rows, data.rows(taps, rest), known, data.truth[rest], count, seed)
        elif way == "suggested":
            others = data.rows(taps, rest)
            temperature = kind.fit_temperature(fit.held_out, known)
            probabilities = kind.probabilities(fit.head.logits(others), temperature)
            places = [one.place for one in choose(rows, others, probabilities, count, seed)]
        else:
            places = rng.permutation(len(rest))[:count].tolist()
        labelled = np.sort(np.concatenate([labelled, rest[places]]))
    return found


def oracle(rows: Rows, others: Rows, known: IntArray, hidden: IntArray, count: int, seed: int) -> list[int]:
    """Return the images that lower the squared error of kernel ridge regression on the others most, greedily.

    Args:
        rows: (n, D) features of the labelled images.
        others: (U, D) of those to choose from.
        known: (n,) classes of the labelled images.
        hidden: (U,) of the others.
        count: how many to choose.
        seed: of the directions in which images are compared.
    """
    space = ImageSpace.fit(np.concatenate([rows, others]), seed).whitened
    kernel = np.exp((space @ space.T - 1) / REACH).astype(np.float64)
    taught, free = slice(len(rows)), slice(len(rows), None)
    classes = np.eye(max(known.max(), hidden.max()) + 1)
    solved = np.linalg.solve(kernel[taught, taught] + NOISE * np.eye(len(rows)), kernel[taught, free])
    left = classes[hidden] - solved.T @ classes[known]
    kernel = kernel[free, free] - kernel[free, taught] @ solved
    chosen: list[int] = []
    for _ in range(count):
        scale = kernel.diagonal() + NOISE
        lowered = 2 * (kernel @ left * left).sum(axis=1) / scale
        lowered -= np.square(kernel).sum(axis=0) * np.square(left).sum(axis=1) / scale**2
        lowered[chosen] = -np.inf
        place = int(lowered.argmax())
        chosen.append(place)
        moved = kernel[:, place] / scale[place]
        left = left - np.outer(moved, left[place])
        kernel = kernel - np.outer(moved, kernel[place])
    return chosen


def needed(budgets: list[int], suggested: FloatArray, wanted: float) -> float:
    """Return the budget at which suggestions reach an accuracy, between two budgets on a straight line."""
    rising = np.maximum.accumulate(suggested)
    return float(np.interp(wanted, rising, budgets)) if wanted <= rising[-1] else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--oracle", action="store_true")
    parser.add_argument("--budgets", type=int, nargs="+", default=[2, 3, 5, 7, 10, 15, 20])
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    budgets: list[int] = options.budgets
    print(f"| data | way | {' | '.join(f'{budget} a class' for budget in budgets)} |")
    print("|---|---|" + "---|" * len(budgets))
    for folder in options.data:
        data = Data(folder, options.size)
        means = {}
        seeds = range(options.first, options.first + options.seeds)
        ways = ["random", "suggested", *(["oracle"] if options.oracle else [])]
        for way in ways:
            table = [accuracies(data, budgets, way, seed) for seed in seeds]
            means[way] = np.mean(table, axis=0)
            row = " | ".join(f"{100 * value:.1f}" for value in means[way])
            print(f"| {data.manifest.root.name} | {way} | {row} |", flush=True)
        for way in ways[1:]:
            shares = [
                needed(budgets, means[way], wanted) / budget
                for budget, wanted in zip(budgets, means["random"], strict=True)
            ]
            row = " | ".join(f"{100 * share:.0f} %" for share in shares)
            print(f"| | labels needed, {way} | {row} |", flush=True)


if __name__ == "__main__":
    main()

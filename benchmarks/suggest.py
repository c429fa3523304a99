"""How many labels `eyebright suggest` saves: accuracy by number of labels, suggested and drawn by chance.

    python benchmarks/suggest.py DATA … [--seeds 5] [--budgets 2 3 5 7 10 15 20]

DATA are folders that `eyebright train` takes. Both ways begin with the same two images of each class; at each
budget (labels a class, on average) a head is solved, its accuracy measured on the test part (or else
validation), and the next images are chosen from the rest of the training part. Features are those of the
layers "stages" and cached. Printed are the mean accuracies over the seeds, and how many labels suggestions
need, as a share of random's, to reach what random reaches at each budget.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from unlabelled import Data, drawn

from eyebright.few_labels.suggesting import choose
from eyebright.task.task import MultiClass
from eyebright.training.linear_probe.head import fit_head
from eyebright.types import FloatArray

STRENGTHS = (1e-4, 1e-5)


def accuracies(data: Data, budgets: list[int], suggested: bool, seed: int) -> list[float]:
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
        if suggested:
            others = data.rows(taps, rest)
            temperature = kind.fit_temperature(fit.held_out, known)
            probabilities = kind.probabilities(fit.head.logits(others), temperature)
            places = [one.place for one in choose(rows, others, probabilities, count, seed)]
        else:
            places = rng.permutation(len(rest))[:count].tolist()
        labelled = np.sort(np.concatenate([labelled, rest[places]]))
    return found


def needed(budgets: list[int], suggested: FloatArray, wanted: float) -> float:
    """Return the budget at which suggestions reach an accuracy, between two budgets on a straight line."""
    rising = np.maximum.accumulate(suggested)
    return float(np.interp(wanted, rising, budgets)) if wanted <= rising[-1] else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budgets", type=int, nargs="+", default=[2, 3, 5, 7, 10, 15, 20])
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    budgets: list[int] = options.budgets
    print(f"| data | way | {' | '.join(f'{budget} a class' for budget in budgets)} |")
    print("|---|---|" + "---|" * len(budgets))
    for folder in options.data:
        data = Data(folder, options.size)
        means = {}
        for way in ("random", "suggested"):
            table = [accuracies(data, budgets, way == "suggested", seed) for seed in range(options.seeds)]
            means[way] = np.mean(table, axis=0)
            row = " | ".join(f"{100 * value:.1f}" for value in means[way])
            print(f"| {data.manifest.root.name} | {way} | {row} |", flush=True)
        shares = [
            needed(budgets, means["suggested"], wanted) / budget
            for budget, wanted in zip(budgets, means["random"], strict=True)
        ]
        print(f"| | labels needed | {' | '.join(f'{100 * share:.0f} %' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()

"""What unlabelled images bring to a few labels: accuracy on a test part that neither saw, over seeds.

    python benchmarks/unlabelled.py DATA … [--labels 2 5 10] [--seeds 5] [--foreign FOLDER --share 0.3]

DATA are folders that `eyebright train` takes. Of DATA's training part so many images of each class keep
their label, and all others are unlabelled; the test part (or else validation) is what accuracy is measured
on. Features are computed once and cached; the layers are chosen by cross-validation as `train` does. With
--foreign, that share of the unlabelled images is taken away in a first row, and images of another folder
stand in their place in a second one: what these cost is the difference. With --rare, all but so many of the
first class are left out of them; with --images, only so many are taken, and with --classes, only images of so
many classes: what must not be learned from. Printed are the accuracy of the labels alone, that of what is
kept, that if it were always kept, and the worst class's recall, which pseudo-labels may erase.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import FeatureLayer, feature_layer_sets
from eyebright.data.source import scan
from eyebright.few_labels.unlabelled import fit_with_unlabelled, unlike_labelled
from eyebright.runtime.progress import SILENT
from eyebright.task.logits import cross_entropy
from eyebright.training.cache.store import Rows, default_folder
from eyebright.training.linear_probe.features import FeatureExtractor, training_preprocessing
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.head import HeadFit, fit_head
from eyebright.training.linear_probe.linear import LinearHead
from eyebright.types import IntArray, Split

ENGINE = "openvino float32"


@dataclass(frozen=True)
class Images:
    """Features (N, D) of all layers, classes (N,), groups (N,), and which images are of the test part."""

    rows: Rows
    truth: IntArray
    groups: IntArray
    test: IntArray
    pool: IntArray


class Data:
    """A folder's features; layer sets are columns of the widest."""

    def __init__(self, folder: Path, size: int) -> None:
        self.manifest = scan(folder)
        backbone = EmbeddedBackbone()
        self.sets = feature_layer_sets(backbone.card)
        preprocessing = training_preprocessing(backbone.card, size)
        self.extractor = FeatureExtractor(
            default_folder(), backbone, preprocessing, self.sets["all"], ENGINE, 1
        )
        held_out: Split = "test" if self.manifest.of("test") else "val"
        parts = [*self.manifest.of("train"), *self.manifest.of(held_out)]
        with SILENT.task("", total=len(parts)) as task:
            lost = {s.path for s in self.extractor.compute(self.manifest.root, parts, task)}
        self.samples = [s for s in parts if s.path not in lost]
        number = {label: place for place, label in enumerate(self.manifest.labels)}
        self.truth = np.array([number[s.label] for s in self.samples], np.int64)
        self.groups = groups_of(self.samples)
        self.test = np.flatnonzero([s.split == held_out for s in self.samples])
        self.pool = np.flatnonzero([s.split == "train" for s in self.samples])

    def rows(self, taps: tuple[FeatureLayer, ...], places: IntArray) -> Rows:
        return self.extractor.read([self.samples[place] for place in places], taps)


def drawn(data: Data, labels: int, seed: int) -> IntArray:
    """Return the places of so many images of each class of the pool."""
    rng = np.random.default_rng(seed)
    truth = data.truth[data.pool]
    return np.sort(
        np.concatenate([rng.permutation(data.pool[truth == k])[:labels] for k in np.unique(truth)])
    )


def alone(data: Data, labelled: IntArray, layers: str) -> tuple[str, HeadFit]:
    """Return the head of the labels alone on the feature layers that its folds prefer."""
    truth, classes = data.truth[labelled], len(data.manifest.labels)
    names = list(data.sets) if layers == "auto" else [layers]
    fits = {
        name: fit_head(
            data.rows(data.sets[name], labelled), truth, classes, groups=data.groups[labelled], seed=0
        )
        for name in names
    }
    best = min(fits, key=lambda name: float(cross_entropy(fits[name].held_out, truth).mean()))
    return best, fits[best]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--labels", type=int, nargs="+", default=[5])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--foreign", type=Path)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--layers", default="auto")
    parser.add_argument(
        "--rare", type=int, default=0, help="keep so many unlabelled images of the first class"
    )
    parser.add_argument("--images", type=int, default=0, help="take so many unlabelled images")
    parser.add_argument("--classes", type=int, default=0, help="take unlabelled images of so many classes")
    options = parser.parse_args()
    foreign = None if options.foreign is None else Data(options.foreign, options.size)
    head = "data | labels a class | alone % | kept % | always % | change, points | kept | worst class"
    print(f"| {head} | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for folder in options.data:
        data = Data(folder, options.size)
        for labels in options.labels:
            if foreign is not None:
                _row(data, labels, options, foreign, taken_away=True)
            _row(data, labels, options, foreign)


def _row(
    data: Data,
    labels: int,
    options: argparse.Namespace,
    foreign: Data | None,
    *,
    taken_away: bool = False,
) -> None:
    before, after, forced, kept, seconds, worst = [], [], [], 0, [], []
    truth = data.truth[data.test]
    for seed in range(options.seeds):
        labelled = drawn(data, labels, seed)
        layers, fit = alone(data, labelled, options.layers)
        taps = data.sets[layers]
        others = np.setdiff1d(data.pool, labelled)
        if options.rare:
            first = others[data.truth[others] == 0]
            others = np.setdiff1d(others, first[options.rare :])
        if options.classes:
            some = np.random.default_rng(seed).permutation(len(data.manifest.labels))[: options.classes]
            others = others[np.isin(data.truth[others], some)]
        if options.images:
            others = others[np.random.default_rng(seed).permutation(len(others))[: options.images]]
        unlabelled = data.rows(taps, others)
        if foreign is not None:
            some = np.random.default_rng(seed).permutation(len(unlabelled))
            count = min(round(len(some) * options.share), len(foreign.samples))
            unlabelled = unlabelled[some[count:]]
            if not taken_away:
                drawn_ones = np.random.default_rng(seed).permutation(len(foreign.samples))[:count]
                unlabelled = np.concatenate([unlabelled, foreign.rows(taps, np.sort(drawn_ones))])
        start = time.process_time()
        known = (data.rows(taps, labelled), data.truth[labelled], data.groups[labelled])
        unlike = unlike_labelled(*known, unlabelled, fit, 0)
        with SILENT.task("", total=None) as task:
            found = fit_with_unlabelled(*known, unlabelled, unlike, fit, 0, task)
        seconds.append(time.process_time() - start)
        rows = data.rows(taps, data.test)

        def right(head: LinearHead) -> tuple[float, float]:
            correct = head.logits(rows).argmax(axis=1) == truth  # noqa: B023
            return float(correct.mean()), min(float(correct[truth == k].mean()) for k in np.unique(truth))

        kept += found.better
        whole, least = right(fit.head)
        before.append(whole)
        forced.append(right(found.head)[0])
        after.append(right(found.head)[0] if found.better else whole)
        worst.append((least, right(found.head)[1] if found.better else least))
        if gain := found.found:
            print(
                f"    seed {seed} {layers}: {100 * whole:.1f} -> {100 * forced[-1]:.1f}, held out "
                f"{100 * gain.accuracy_before:.0f} -> {100 * gain.accuracy:.0f} %, Brier "
                f"{gain.brier_change.value:+.3f} p {gain.brier_p:.3f}, "
                f"unlike {found.unlike.sum()} of {len(found.unlike)}"
                + (
                    f" (foreign {found.unlike[-count:].sum()} of {count})"
                    if foreign and not taken_away
                    else ""
                ),
                flush=True,
            )
    changes = 100 * (np.array(after) - before)
    low, high = np.mean(worst, axis=0) * 100
    each = ", ".join(f"{change:+.1f}" for change in changes)
    print(
        f"| {data.manifest.root.name} | {labels} | {100 * np.mean(before):.1f} | "
        f"{100 * np.mean(after):.1f} | {100 * np.mean(forced):.1f} | {changes.mean():+.1f} ({each}) | "
        f"{kept} of {options.seeds} | {low:.0f} -> {high:.0f} | {np.mean(seconds):.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()

"""Image and text: accuracy of either alone and of both, over splits by group, and of both with texts hidden.

python benchmarks/text.py TABLE --text COLUMN[,COLUMN] [--group COLUMN] [--seeds 10] [--masked]
    [--text-encoder PATH] [--size 224] [--autogluon PYTHON --weights FILE --peer-encoder FOLDER --seconds N]

Points are of the test split, a quarter of the images, drawn anew with each seed. `hidden` is the model of
both where no text is given: what a missing text costs. With --masked, words that name a class are taken out
first. At the end, 1,000 texts are featurised.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.source import scan
from eyebright.data.splits.drawing import Drawing
from eyebright.data.table.chosen import Columns
from eyebright.evaluation.text_leak import find_class_words
from eyebright.runtime.context import showing
from eyebright.runtime.progress import SILENT
from eyebright.task.task import MultiClass
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.probe import FrozenTrainer
from eyebright.training.linear_probe.targets import truth_of
from eyebright.training.text.encoder import SentenceEncoder, load_encoder
from eyebright.training.text.fit import fit_texts
from eyebright.training.text.ngrams import fit_ngrams

NAMES = ("image", "text", "both", "hidden")


def measure(manifest: Manifest, size: int, layers: str, encoder: SentenceEncoder | None) -> dict[str, float]:
    """Return accuracies on the test split in percent, of heads that learned from the training split."""
    trainer = FrozenTrainer(manifest, EmbeddedBackbone(), default_folder(), views=1, layers=layers, seed=0)
    model = trainer.train(size)
    task = MultiClass()
    temperature = np.float32(task.fit_temperature(model.fit.held_out, model.truth))
    fits = fit_texts(model.samples, model.fit.held_out / temperature, model.truth, seed=0, encoder=encoder)
    test = list(manifest.of("test"))
    with SILENT.task("", total=len(test)) as shown:
        model.extractor.compute(manifest.root, test, shown)
    image = model.fit.head.logits(model.extractor.read(test, model.extractor.taps)) / temperature
    head, texts = fits[0].head, [sample.text for sample in test]
    logits = {
        "image": image,
        "text": head.logits(texts)[0],
        "both": head.fused(image, texts),
        "hidden": head.fused(image, [""] * len(test)),
    }
    truth = truth_of(test, manifest)
    return {name: 100 * float(task.correct(logits[name], truth).mean()) for name in NAMES}


def autogluon(manifest: Manifest, args: argparse.Namespace, seed: int) -> float:
    """Return AutoGluon's test accuracy in percent; it holds out of training and validation part itself."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        learned = [*manifest.of("train"), *manifest.of("val")]
        train = _table(folder / "train.csv", manifest.root, learned)
        test = _table(folder / "test.csv", manifest.root, manifest.of("test"))
        script = Path(__file__).with_name("text_autogluon.py")
        files = (train, test, args.weights.resolve(), args.peer_encoder.resolve(), folder / "out.json")
        command = [str(args.autogluon), str(script), *map(str, files)]
        command += ["--seconds", str(args.seconds), "--seed", str(seed)]
        with (folder / "log").open("w") as log:
            if subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False).returncode != 0:
                raise SystemExit((folder / "log").read_text()[-3000:])
        return 100 * float(json.loads(files[-1].read_text())["accuracy"])


def _table(path: Path, root: Path, samples: Sequence[Sample]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "text", "label"])
        writer.writerows([(root / s.path).resolve(), s.text, s.label] for s in samples)
    return path


def speed(texts: list[str]) -> float:
    """Return the seconds in which 1,000 texts are featurised by n-grams."""
    features = fit_ngrams(texts)
    many = (texts * (1 + 1000 // len(texts)))[:1000]
    start = time.perf_counter()
    features.rows(many)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--text", required=True)
    parser.add_argument("--group")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--masked", action="store_true")
    parser.add_argument("--text-encoder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--layers", default="all")
    parser.add_argument("--autogluon", type=Path, help="Python of an environment with autogluon.multimodal")
    parser.add_argument("--weights", type=Path, help="its image network: the published EfficientNet-Lite0")
    parser.add_argument("--peer-encoder", type=Path, help="its text network: a folder of transformers")
    parser.add_argument("--seconds", type=int, default=300, help="its budget")
    args = parser.parse_args()
    encoder = None if args.text_encoder is None else load_encoder(args.text_encoder)
    columns = Columns(group=args.group, text=tuple(args.text.split(",")))
    rows, theirs = [], list[float]()
    with showing(SILENT):
        for seed in range(args.first, args.first + args.seeds):
            manifest = scan(args.table, val=0.05, test=0.25, seed=seed, columns=columns, drawing=Drawing())
            if args.masked:
                labels = [(s.label,) for s in manifest.samples]
                words = find_class_words([s.text for s in manifest.samples], labels)
                hidden = (replace(s, text=words.masked(s.text)) for s in manifest.samples)
                manifest = replace(manifest, samples=tuple(hidden))
            start = time.perf_counter()
            rows.append(measure(manifest, args.size, args.layers, encoder))
            found = "  ".join(f"{name} {rows[-1][name]:.1f}" for name in NAMES)
            print(f"seed {seed}: {found}  ({time.perf_counter() - start:.1f} s)", flush=True)
            if args.autogluon is not None:
                start = time.perf_counter()
                theirs.append(autogluon(manifest, args, seed))
                print(f"    AutoGluon {theirs[-1]:.1f}  ({time.perf_counter() - start:.1f} s)", flush=True)
    table = np.array([[row[name] for name in NAMES] for row in rows])
    means = "  ".join(f"{name} {value:.1f}" for name, value in zip(NAMES, table.mean(axis=0), strict=True))
    gains = table[:, 2] - table[:, :2].max(axis=1)
    best = float(table[:, 2].mean() - table[:, :2].mean(axis=0).max())
    print(f"mean of {len(rows)}: {means}")
    print(f"both less the better one alone: {best:+.1f} in the mean, {gains.min():+.1f} at worst")
    if theirs:
        print(f"AutoGluon: {np.mean(theirs):.1f} in the mean")
    print(f"1,000 texts: {speed([s.text for s in manifest.samples if s.text]):.2f} s")


if __name__ == "__main__":
    main()

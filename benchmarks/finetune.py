"""Fine-tuning beside the usual tutorial recipe that trains every weight, in alternation, in one run.

    python benchmarks/finetune.py DATA --recipe RECIPE.py --python TORCH_PYTHON [OPTIONS OF TRAIN]

DATA has train/ and val/. RECIPE.py takes DATA, --epochs and --full, and prints "epoch N accuracy A after S
s"; it runs with TORCH_PYTHON. Eyebright runs with this interpreter, which needs the extra `torch`.

Images/s while training are measured: of the recipe over all epochs but the first (its workers start anew in
each), with two images a class left in val/, so that hardly anything but training is timed; of
`--finetune full` and `--finetune last` by history.csv. What these compute once,
before their first epoch and after their last, is
given beside it. All at 224 px, with every stage; OPTIONS OF TRAIN come later and win.

With --accuracy instead: what five epochs of the recipe reach on val/ and the time that they took, and what
each of --ways reaches there in which time: whole processes, empty cache, imports and sealing included. The
machine's load (the mean of a minute) stands beside each, as other work slows both alike only while it lasts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

_EPOCH = re.compile(r"epoch \d+ accuracy ([\d.]+) after ([\d.]+) s")
_RATE_OPTIONS = ("--size", "224", "--layers", "stages", "--patience", "0")
_JUDGES = 2  # images a class that are left to validate where only training is timed
_ACCURACY_EPOCHS = 5
_WAYS = ("head", "last", "full", "auto")
Lines = list[tuple[float, float]]


class Rate(NamedTuple):
    """Images a second while training, and seconds for what was computed once before."""

    images_per_second: float
    once_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="of each training whose rate is measured")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--ways", nargs="+", choices=_WAYS, default=["head", "last", "full"])
    args, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.accuracy:
            compare_accuracy(args, options, Path(folder))
        else:
            compare_rates(args, options, Path(folder))


def compare_rates(args: argparse.Namespace, options: list[str], work: Path) -> None:
    """Prints images/s of each, a line a round, and the ratios of the rounds' medians."""
    data = laid_out(args.data, work / "data", _JUDGES)
    images = sum(1 for path in (data / "train").rglob("*") if path.is_file())
    rates: dict[str, list[float]] = {"recipe": [], "full": [], "last": []}
    for number in range(args.rounds):
        rates["recipe"].append(recipe_rate(recipe(args, data, args.epochs), images))
        text = f"round {number + 1}   recipe {rates['recipe'][-1]:.1f} images/s"
        for finetune in ("full", "last"):
            rate = our_rate(data, finetune, args.epochs, options, work / f"{number}-{finetune}")
            rates[finetune].append(rate.images_per_second)
            text += f"   {finetune} {rate.images_per_second:.1f} (once {rate.once_seconds:.1f} s)"
        print(text, flush=True)
    for finetune in ("full", "last"):
        ratios = [ours / theirs for ours, theirs in zip(rates[finetune], rates["recipe"], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"{finetune} / recipe   {median(rates[finetune]) / median(rates['recipe']):.2f}   rounds {spread}"
        )


def compare_accuracy(args: argparse.Namespace, options: list[str], work: Path) -> None:
    """Prints the recipe's accuracy and time, and those of each way of tuning."""
    data = laid_out(args.data, work / "data", None)
    accuracy, theirs = recipe(args, data, _ACCURACY_EPOCHS)[-1]
    print(f"recipe, {_ACCURACY_EPOCHS} epochs   {accuracy:.1f} %   {theirs:.1f} s   {load()}", flush=True)
    for finetune in args.ways:
        out = work / finetune
        seconds = eyebright(data, out, ["--finetune", finetune, *options])
        ours = 100 * json.loads((out / "metrics.json").read_text())["accuracy"]["value"]
        reached = f"{theirs / seconds:.1f} x less" if ours >= accuracy else "not reached"
        print(f"--finetune {finetune}   {ours:.1f} %   {seconds:.1f} s   {reached}   {load()}", flush=True)


def load() -> str:
    """How many processes want a processor, over the last minute."""
    return f"load {os.getloadavg()[0]:.1f}"


def recipe(args: argparse.Namespace, data: Path, epochs: int) -> Lines:
    """The recipe's accuracy (in percent) and seconds since its start, of each epoch."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [args.python, str(args.recipe), str(data), "--epochs", str(epochs), "--full"]
    return [(float(a), float(s)) for a, s in _EPOCH.findall(output_of(command, environment))]


def recipe_rate(lines: Lines, images: int) -> float:
    """Images/s of all epochs but the first, which also starts the workers, where there are more."""
    started, epochs = (lines[0][1], len(lines) - 1) if len(lines) > 1 else (0.0, 1)
    return epochs * images / (lines[-1][1] - started)


def our_rate(data: Path, finetune: str, epochs: int, options: list[str], out: Path) -> Rate:
    fixed = [*_RATE_OPTIONS, "--finetune", finetune, "--epochs", str(epochs)]
    eyebright(data, out, [*fixed, *options])
    with (out / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rates = [float(row["images_per_second"]) for row in rows if row["images_per_second"]]
    stage = json.loads((out / "metrics.json").read_text())["seconds"]["finetune"]
    return Rate(median(rates), stage - sum(float(row["seconds"]) for row in rows))


def eyebright(data: Path, out: Path, options: list[str]) -> float:
    """Seconds of a whole training, from an empty cache."""
    command = [sys.executable, "-m", "eyebright", "train", str(data), "--out", str(out), *options]
    start = time.perf_counter()
    output_of(command, {**os.environ, "EYEBRIGHT_CACHE": f"{out}-cache"})
    return time.perf_counter() - start


def output_of(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def laid_out(data: Path, to: Path, judges: int | None) -> Path:
    """A copy without a test part, so that val/ is what both report, with at most ``judges`` a class there."""
    shutil.copytree(data / "train", to / "train")
    shutil.copytree(data / "val", to / "val")
    for label in (to / "val").iterdir():
        for path in sorted(label.iterdir())[judges:] if judges is not None else ():
            path.unlink()
    return to


if __name__ == "__main__":
    main()

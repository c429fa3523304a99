"""Accuracy at equal time, and time at equal accuracy, beside fastai, timm and Hugging Face's Trainer.

    python benchmarks/peers/compare.py DATA [DATA ...] --minutes 3 20 --fastai PYTHON --timm PYTHON
        --trainer PYTHON [-- OPTIONS OF TRAIN]

DATA has train/ and val/, or train/, val/ and test/; all learn from train/ and report the last part; only
`--finetune auto` looks at val/, to decide what it keeps, where it is not the part that is reported. All start
from the same weights of EfficientNet-Lite0, one after the other. Each peer runs with the interpreter that is
given for it and is left out without one. It trains as many epochs as fit, at least one; its seconds are those
of training alone, without imports, start and evaluation. Ours are whole processes with an empty cache: frozen
with default options, and `--finetune auto` with the minutes as its budget.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PEERS = ("fastai", "timm", "trainer")
_EPOCH = re.compile(r"epoch \d+ accuracy ([\d.]+) after ([\d.]+) s")


@dataclass(frozen=True)
class Point:
    """Accuracy in percent that was reached after so many seconds."""

    accuracy: float
    seconds: float


def main() -> None:
    ours, options = sys.argv[1:], []
    if "--" in ours:
        place = ours.index("--")
        ours, options = ours[:place], ours[place + 1 :]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, nargs="+", default=[3.0])
    parser.add_argument("--seed", type=int, default=0)
    for peer in PEERS:
        parser.add_argument(f"--{peer}", metavar="PYTHON")
    args = parser.parse_args(ours)
    pythons = {peer: getattr(args, peer) for peer in PEERS if getattr(args, peer)}
    for data in args.data:
        part = "test" if (data / "test").is_dir() else "val"
        with tempfile.TemporaryDirectory() as folder:
            frozen = eyebright(data, Path(folder) / "frozen", args.seed, options)
            print(f"{data.name}, {part}   frozen   {told(frozen)}", flush=True)
            for minutes in args.minutes:
                out = Path(folder) / f"tuned-{minutes}"
                budget = ["--finetune", "auto", "--budget", f"{60 * minutes:.0f}s"]
                tuned = eyebright(data, out, args.seed, [*budget, *options])
                print(
                    f"{data.name}, {minutes:g} min   --finetune auto   {told(tuned)}   {load()}", flush=True
                )
                compare(data, part, minutes, args.seed, pythons, (frozen, tuned))


def compare(
    data: Path, part: str, minutes: float, seed: int, pythons: Mapping[str, str], ours: Sequence[Point]
) -> None:
    """Print what each peer reaches, and how much longer or shorter ours take to its accuracy."""
    for peer, python in pythons.items():
        curve = peer_curve(peer, python, data, part, minutes, seed)
        last = curve[-1]
        enough = [point for point in ours if point.accuracy >= last.accuracy]
        best = max(ours, key=lambda point: point.accuracy)
        reached = next((point for point in curve if point.accuracy >= best.accuracy), None)
        text = f"{data.name}, {minutes:g} min   {peer:8} {told(last)}, {len(curve)} epochs   {load()}   "
        if enough:
            first = min(enough, key=lambda point: point.seconds)
            text += f"ours reach that in {first.seconds:.1f} s ({last.seconds / first.seconds:.1f} x less)"
        else:
            text += "ours do not reach that"
        text += "; ours is not reached" if reached is None else f"; reaches ours in {reached.seconds:.1f} s"
        print(text, flush=True)


def told(point: Point) -> str:
    return f"{point.accuracy:.1f} % in {point.seconds:.1f} s"


def load() -> str:
    """How many processes want a processor, over the last minute."""
    return f"load {os.getloadavg()[0]:.1f}"


def peer_curve(peer: str, python: str, data: Path, part: str, minutes: float, seed: int) -> list[Point]:
    """Train a peer; return its accuracy and seconds after each epoch."""
    script = Path(__file__).with_name(f"peer_{peer}.py")
    command = [python, str(script), str(data), part, "--minutes", str(minutes), "--seed", str(seed)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = _EPOCH.findall(output_of(command, environment))
    return [Point(float(accuracy), float(seconds)) for accuracy, seconds in found]


def eyebright(data: Path, out: Path, seed: int, options: Sequence[str]) -> Point:
    """Train with an empty cache; return the accuracy and the seconds of the whole process."""
    command = [sys.executable, "-m", "eyebright", "train", str(data), "--out", str(out), "--seed", str(seed)]
    start = time.perf_counter()
    output_of([*command, *options], {**os.environ, "EYEBRIGHT_CACHE": f"{out}-cache"})
    seconds = time.perf_counter() - start
    shutil.rmtree(f"{out}-cache")
    metrics = json.loads((out / "metrics.json").read_text())
    return Point(100 * metrics["accuracy"]["value"], seconds)


def output_of(command: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()

"""Wall time and accuracy of `eyebright train` beside the usual tutorial recipe, in one run.

    python benchmarks/recipe.py DATA --recipe RECIPE.py --python TORCH_PYTHON [OPTIONS OF TRAIN]

DATA has train/ and val/. RECIPE.py takes DATA and --epochs and prints "epoch N accuracy A after S s"; it runs
with TORCH_PYTHON, an interpreter that has PyTorch. Eyebright runs with this interpreter, twice: with an empty
cache, then with a warm one. Whole processes are timed, imports and all.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - start, done.stdout


def eyebright(data: Path, options: list[str], cache: Path, out: Path) -> tuple[float, dict[str, Any]]:
    command = [sys.executable, "-m", "eyebright", "train", str(data), "--out", str(out), *options]
    seconds, _ = timed(command, {**os.environ, "EYEBRIGHT_CACHE": str(cache)})
    return seconds, json.loads((out / "metrics.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--epochs", type=int, default=5)
    args, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        cold, metrics = eyebright(args.data, options, work / "cache", work / "cold")
        warm, again = eyebright(args.data, options, work / "cache", work / "warm")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [args.python, str(args.recipe), str(args.data), "--epochs", str(args.epochs)]
    recipe, text = timed(command, environment)
    accuracy = float(re.findall(r"accuracy ([\d.]+)", text)[-1])
    stages = {k: round(v, 1) for k, v in metrics["seconds"].items()}
    head = again["seconds"]["head"] + again["seconds"]["selection"]
    print(f"recipe, {args.epochs} epochs   {recipe:7.1f} s   accuracy {accuracy:.1f} %")
    ours = 100 * metrics["accuracy"]["value"]
    print(f"eyebright, cold cache {cold:7.1f} s   accuracy {ours:.1f} %   {stages}")
    print(f"eyebright, warm cache {warm:7.1f} s   of which choosing and solving the head {head:.1f} s")
    print(f"recipe / eyebright    {recipe / cold:7.1f} x cold   {recipe / warm:.1f} x warm")


if __name__ == "__main__":
    main()

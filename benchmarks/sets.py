"""Accuracy and time of `eyebright train` with default options on several sets, each from an empty cache.

python benchmarks/sets.py DATA [DATA ...] [OPTIONS OF TRAIN]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="+")
    args, options = parser.parse_known_args()
    for data in args.data:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            command = [sys.executable, "-m", "eyebright", "train", str(data), "--out", str(out), *options]
            start = time.perf_counter()
            environment = {**os.environ, "EYEBRIGHT_CACHE": f"{folder}/cache"}
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
            seconds = time.perf_counter() - start
            m = json.loads((out / "metrics.json").read_text())
        accuracy, ece = m["accuracy"], m["ece"]
        figures = (
            f"{100 * accuracy['value']:.1f} % ({100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f})"
        )
        chosen = f"{m['chosen']['size']} px, {m['chosen']['layers']}"
        loss = f"log loss {m['log_loss']['value']:.3f}"
        calibration = f"ECE {100 * m['ece_before']:.1f} -> {100 * ece['value']:.1f} %"
        parity = f"sealed differs by {m['parity']['largest_difference']:.4f}"
        print(
            f"{data.name:12} {m['split']:4} {figures}  {loss}  {chosen}  {calibration}  {parity}  "
            f"{seconds:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()

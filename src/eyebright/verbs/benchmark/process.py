"""A model's own process, seen from `eyebright benchmark`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np

from eyebright.errors import EyebrightError
from eyebright.types import UInt8Array
from eyebright.verbs.benchmark.models import BenchmarkModel
from eyebright.verbs.benchmark.worker import WorkerAnswer, WorkerSpec


class ModelProcess:
    """Start a process that loads a model and runs it to warm up; then it waits for its turn.

    Args:
        candidate: what it loads.
        image: (H, W, 3), the image to predict.

    Raises:
        EyebrightError: it cannot be loaded, or cannot take such a batch; the text has its last output.
    """

    def __init__(self, candidate: BenchmarkModel, image: UInt8Array) -> None:
        self.candidate = candidate
        self.memory_bytes: int | None = None
        self._folder = tempfile.TemporaryDirectory()
        photo = Path(self._folder.name, "image.npy")
        np.save(photo, image, allow_pickle=False)
        spec: WorkerSpec = {
            "kind": candidate.kind,
            "path": str(candidate.path),
            "parent": str(candidate.parent),
            "threads": candidate.threads,
            "batch": candidate.batch,
            "image": str(photo),
        }
        self._words = Path(self._folder.name, "words.txt")
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "eyebright.verbs.benchmark.worker", json.dumps(spec)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
            )
        try:
            self._answer()
        except EyebrightError:
            self._close()
            raise

    def run(self, seconds: float) -> list[float]:
        """Return the milliseconds of the calls in one turn, at least one.

        Raises:
            EyebrightError: the process has ended.
        """
        with suppress(BrokenPipeError):  # where it has ended, so has its answer
            if self._process.stdin is not None:
                self._process.stdin.write(f"{seconds}\n")
                self._process.stdin.flush()
        answer = self._answer()
        self.memory_bytes = answer["memory_bytes"]
        return answer["milliseconds"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def _answer(self) -> WorkerAnswer:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self._process.wait()
            words = self._words.read_text(encoding="utf-8", errors="replace")
            last = (words.strip().splitlines() or [""])[-1]
            raise EyebrightError(
                "{name} must run to be benchmarked. Its process ended with status {status}: "
                "{reason}. Remove it, or use a smaller --batch.",
                name=f"{self.candidate.name} ({self.candidate.runtime})",
                status=self._process.returncode,
                reason=last[:300],
            )
        content: WorkerAnswer = json.loads(line)
        return content

    def _close(self) -> None:
        """End the process: it stops at the end of its input."""
        self._process.communicate()
        self._folder.cleanup()

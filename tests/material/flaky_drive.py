"""A Drive as bad as people describe it: every tenth write fails or is cut off, and a rename is a copy."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from eyebright.colab.drive_folder import DriveFolder
from eyebright.colab.workspaces import Workspace

FAILURES = 0.1


class FlakyDrive(DriveFolder):
    """Fails by a seed of its own.

    Args:
        folder: on disk.
        seed: of the failures.
        failures: share of the writes, and of the renames, that fail.
        before: is called before each step, and may end the process or raise.
    """

    def __init__(
        self, folder: Path, seed: int, failures: float = FAILURES, before: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(folder)
        self._random, self._failures, self._before = random.Random(seed), failures, before

    def copy(self, source: Path, target: Path) -> None:
        self._before()
        self._write(source.read_bytes(), target)

    def rename(self, source: Path, target: Path) -> None:
        """Copy, then remove: what ends it in between leaves both, or a part."""
        content = source.read_bytes()
        target.write_bytes(content[: len(content) // 2])
        self._before()
        self._write(content, target)
        self._before()
        source.unlink()

    def remove(self, inner: str, name: str) -> None:
        self._before()
        if self._random.random() >= self._failures:
            super().remove(inner, name)

    def _write(self, content: bytes, target: Path) -> None:
        if self._random.random() < self._failures:
            target.write_bytes(content[: self._random.randint(0, len(content))])
            if self._random.random() < 0.5:  # else it is cut off, and nobody is told
                raise OSError(5, "Input/output error", str(target))
        else:
            target.write_bytes(content)


def fine_tune(local: Path, drive: Path, data: Path, seed: int, epochs: int) -> None:
    """Fine-tune on a machine whose Drive is flaky, or go on with what that holds."""
    work = Workspace(local, FlakyDrive(drive, seed), seconds=0.5, lang="en")
    work.train(
        "killed", data, finetune="last", epochs=epochs, patience=0, size=64, layers="texture",
        augment="light", precision="fp32", batch=8,
    )  # fmt: skip
    work.close()

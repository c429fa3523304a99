"""The classes as a text file, which every language can read."""

from __future__ import annotations

LABELS = "labels.txt"


def label_lines(labels: tuple[str, ...]) -> str:
    """The classes, one a line, in the order of the outputs."""
    return "".join(f"{' '.join(label.splitlines())}\n" for label in labels)

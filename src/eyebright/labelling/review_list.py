"""Lists of images to look at that other commands write: CSV with the columns path, score and reason."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from eyebright.data.header import read_header
from eyebright.data.table.delimited import DataTable, parse_delimited
from eyebright.errors import DataError, ImageError, NotFoundError
from eyebright.labelling.label_files import path_in_table
from eyebright.labelling.project import Project
from eyebright.labelling.review import Reason, ReviewItem
from eyebright.runtime.atomic import write_text

COLUMNS = ("path", "score", "reason")
# Reasons that the studio has words for; others are shown as they are.
_KNOWN: dict[str, Reason] = {"unknown": "unknown", "drifted": "drifted", "doubtful": "doubtful"}
_LONGEST_NOTE = 300


@dataclass(frozen=True)
class ReviewList:
    """Images to look at, and the paths of the list that are none of the project's images."""

    items: Sequence[ReviewItem]
    missing: Sequence[str] = ()


def read_review_list(path: Path, project: Project, base: Path) -> ReviewList:
    """Read a list, and find its images among those of a project.

    Args:
        path: of the list.
        project: whose images they are.
        base: where relative paths begin, if not at the project's folder.

    Raises:
        NotFoundError: ``path`` does not exist.
        DataError: it is no such list, or none of its images is in the project.
    """
    table = parse_delimited(path)
    names = [name.casefold() for name in table.header]
    if "path" not in names:
        raise DataError(
            "A list for review must have a column path, and may have score and reason. {path} has: {names}. "
            "Correct its first line.",
            path=path.name,
            names=", ".join(table.header) or "-",
        )
    known = {project.path(sample).as_posix(): sample.sha for sample in project.samples}
    items: dict[str, ReviewItem] = {}
    missing: list[str] = []
    for line, cells in zip(table.lines, table.rows, strict=True):
        row = dict(zip(names, cells, strict=False))
        sha = _find(row.get("path", ""), project, base, known)
        if sha is None:
            missing.append(row.get("path", ""))
            continue
        items.setdefault(sha, _item(sha, row, table, line))
    if missing and not items:
        raise DataError(
            "The images of a list for review must be in the folder {folder}. None of the {count} in {path} "
            "is, such as {image}. Open the folder that they lie in.",
            folder=project.root,
            count=len(missing),
            path=path.name,
            image=missing[0],
        )
    return ReviewList(list(items.values()), missing)


def write_review_list(path: Path, project: Project, items: Sequence[ReviewItem]) -> None:
    """Write a list, atomically; :func:`read_review_list` reads it back.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for item in items:
        if (sample := project.get(item.sha)) is not None:
            writer.writerow((path_in_table(project, sample), f"{item.value:.4f}", item.note or item.reason))
    write_text(path, buffer.getvalue())


def _find(name: str, project: Project, base: Path, known: dict[str, str]) -> str | None:
    """Return the hash of the image that a path leads to; None if it is none of the project's."""
    if not name or "\0" in name:
        return None
    for start in (base, project.root):
        file = Path(os.path.normpath(start.resolve() / name))
        if (sha := known.get(file.as_posix())) is not None:
            return sha
        # Of files with the same content the project knows one path.
        if file.is_relative_to(project.root) and file.is_file():
            try:
                sha = read_header(file).sha
            except (ImageError, NotFoundError):
                continue
            if project.get(sha) is not None:
                return sha
    return None


def _item(sha: str, row: dict[str, str], table: DataTable, line: int) -> ReviewItem:
    text, reason = row.get("score", ""), row.get("reason", "")
    try:
        score = table.number(text) if text else 0.0
    except ValueError:
        score = float("nan")
    if not isfinite(score):
        raise DataError(
            "The score of an image to review must be a number. Line {line} of {path} has {score}. Correct "
            "it.",
            line=line,
            path=table.source.name,
            score=repr(text[:40]),
        )
    found = _KNOWN.get(reason.casefold())
    return ReviewItem(sha, found or "listed", score, note="" if found else reason[:_LONGEST_NOTE])

"""Headers of many image files, read by several threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eyebright.data.header import Header, read_header
from eyebright.errors import ImageError

_CHUNK = 256


def read_headers(
    folder: Path, files: Sequence[tuple[str, str]]
) -> Iterator[tuple[Sequence[tuple[str, str]], list[Header | ImageError]]]:
    """Yield files (label, path below ``folder``) with their headers, in chunks and in their order."""
    top = os.fspath(folder)
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]

    def read(chunk: Sequence[tuple[str, str]]) -> list[Header | ImageError]:
        return [_header(os.path.join(top, path)) for _, path in chunk]

    pool = ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 2))
    try:
        yield from zip(chunks, pool.map(read, chunks), strict=True)
    finally:  # at Ctrl-C, too: what is not begun is not begun
        pool.shutdown(cancel_futures=True)


def _header(path: str) -> Header | ImageError:
    try:
        return read_header(path)
    except ImageError as error:
        return error.with_traceback(None)  # which would keep the file's bytes alive

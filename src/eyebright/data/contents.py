"""What images show, whatever else is in their files: copies by pixels, and the white level of deep grey."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from eyebright.data.colour import FULL_LEVEL, fitting_level
from eyebright.data.decode import highest_grey, open_rgb
from eyebright.data.header import read_image
from eyebright.errors import ImageError, NotFoundError
from eyebright.runtime.compact.repeats import Repeats
from eyebright.runtime.compact.rows import changed, kept, values
from eyebright.runtime.context import progress_task
from eyebright.runtime.parallel import parallel
from eyebright.types import Skipped

if TYPE_CHECKING:
    from eyebright.data.manifest import Sample

_HASHED_BYTES = 2**24


@dataclass(frozen=True)
class Content:
    """The hash of an image's pixels, and its highest value where it has deep grey."""

    sha: str
    high: float | None


def with_contents(root: Path, samples: Sequence[Sample]) -> tuple[Sequence[Sample], list[Skipped]]:
    """Return samples whose copies share a content, with one white level, and what is to be said of it.

    Two JPEGs are copies where their compressed data are the same, whatever their metadata: that is known
    without decoding. Others are decoded, where another file has the same size in pixels.

    Args:
        root: what the samples' paths are relative to.
        samples: with what their headers tell.
    """
    contents = _read_contents(root, _to_decode(samples))

    def known(sha: str, content: str) -> str:
        return contents[sha].sha if sha in contents else content or sha

    def pairs() -> Iterator[tuple[str, str]]:
        return ((sha, known(sha, content)) for sha, content in values(samples, "sha", "content"))

    repeats = Repeats((content for _, content in pairs()), len(samples))
    first: dict[str, str] = {}
    for sha, content in pairs() if repeats else ():
        if content in repeats:
            first[content] = min(sha, first.get(content, sha))
    level, notes = _white_level(samples, contents)
    with_content = (
        replace(s, content=first.get(known(s.sha, s.content), s.sha), white_level=s.white_level and level)
        for s in samples
    )
    return changed(samples, with_content), notes


def _to_decode(samples: Sequence[Sample]) -> list[Sample]:
    """Return one sample a file whose pixels must be known: of deep grey, and of what may be a copy."""
    # Of sizes whose images all tell their content, only those of deep grey must be decoded.
    told = dict.fromkeys(values(samples, "width", "height"), True)
    for width, height, content in values(samples, "width", "height", "content"):
        told[width, height] = told[width, height] and bool(content)
    asked = kept(
        samples,
        (
            white > 0 or not told[width, height]
            for width, height, white in values(samples, "width", "height", "white_level")
        ),
    )
    same_size: dict[tuple[int, int], dict[str, Sample]] = defaultdict(dict)
    for sample in asked:
        same_size[sample.width, sample.height].setdefault(sample.sha, sample)
    found: list[Sample] = []
    for size, group in same_size.items():
        comparable = told[size] or len(group) < 2
        found += [s for s in group.values() if s.white_level or not comparable]
    return found


def _read_contents(root: Path, samples: Sequence[Sample]) -> dict[str, Content]:
    """Return contents by hash; what cannot be decoded is told when its features are computed."""
    if not samples:
        return {}
    with progress_task("Looking for copies", total=len(samples)) as task:

        def read(sample: Sample) -> Content | None:
            try:
                return _content(read_image(root / sample.path, sample.sha))
            except (ImageError, NotFoundError):
                return None
            finally:
                task.advance()

        found = list(parallel(read, samples))
    return {sample.sha: content for sample, content in zip(samples, found, strict=True) if content}


def _content(data: bytes) -> Content:
    high, rgb = highest_grey(data), open_rgb(data)
    state = blake2b(f"{rgb.size} {high}".encode(), digest_size=16)
    width, height = rgb.size
    rows = max(1, _HASHED_BYTES // (3 * width))
    for top in range(0, height, rows):  # a copy of all pixels of a large image would double its memory
        state.update(rgb.crop((0, top, width, min(top + rows, height))).tobytes())
    return Content(state.hexdigest(), high)


def _white_level(samples: Sequence[Sample], contents: dict[str, Content]) -> tuple[int, list[Skipped]]:
    """Return the white level that training images need, those of a test split not asked."""
    deep = kept(samples, map(bool, values(samples, "white_level")))
    asked = [s for s in deep if s.split != "test"] or deep
    highs = [high for s in asked if s.sha in contents and (high := contents[s.sha].high) is not None]
    if not highs:
        return (deep[0].white_level if deep else 0), []
    level = fitting_level(max(highs))
    if level == FULL_LEVEL:
        return level, []
    return level, [
        Skipped(
            ".",
            "{count:image has|images have} grey of more than 8 bits, with values up to {high}. It is read on "
            "the range 0 to {level}, which the model stores.",
            {"count": len(deep), "high": f"{max(highs):g}", "level": level},
        )
    ]

"""The recipe by which programs without Eyebright read an image: one template, filled into every example."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def load_image_code() -> str:
    """Return the Python function `load_image(path, white_level=None)`, which needs Pillow and numpy alone.

    It gives the pixels that :func:`~eyebright.data.decode.decode` gives, of every file that Pillow reads.
    """
    template = files("eyebright.exporting").joinpath("examples", "load_image.py")
    text = template.read_text(encoding="utf-8")
    return text[text.index("def load_image") :].strip()

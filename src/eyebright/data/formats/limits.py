"""How large an image may be."""

from __future__ import annotations

from eyebright.errors import ImageSizeError

#: Larger images are refused before a pixel is decoded; Pillow's own limit.
MAX_PIXELS = 178_956_970
#: Longer sides are refused as well: no camera makes them, and a thin image costs as much as a large one.
MAX_SIDE = 65_535


def require_size(width: int, height: int) -> None:
    """Refuse an image that is too large to be decoded.

    Raises:
        ImageSizeError: it has more than :data:`MAX_PIXELS` pixels, or a side of more than :data:`MAX_SIDE`.
    """
    if width * height > MAX_PIXELS:
        raise too_large()
    if max(width, height) > MAX_SIDE:
        raise ImageSizeError(
            "Each side of an image must have at most {limit} pixels. This image has {width} × {height}, so "
            "it was not decoded. Cut it into parts, or remove it.",
            limit=MAX_SIDE,
            width=width,
            height=height,
        )


def too_large() -> ImageSizeError:
    """Return the error for an image of too many pixels."""
    return ImageSizeError(
        "The image has more than {limit} million pixels, so it was not decoded. Downscale it, or remove it.",
        limit=MAX_PIXELS // 1_000_000,
    )

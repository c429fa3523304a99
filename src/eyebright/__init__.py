"""Eyebright turns a folder of images into a recognition model that people can trust.

The names below load what they need when they are first used, so that `import eyebright` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eyebright.version import __version__

if TYPE_CHECKING:
    from eyebright.api import (
        benchmark,
        compare,
        demo,
        distill,
        doctor,
        evaluate,
        explain,
        export,
        inspect,
        load,
        models,
        predict,
        prune,
        shrink,
        train,
        tune,
    )

__all__ = [
    "__version__",
    "benchmark",
    "compare",
    "demo",
    "distill",
    "doctor",
    "evaluate",
    "explain",
    "export",
    "inspect",
    "load",
    "models",
    "predict",
    "prune",
    "shrink",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from eyebright import api

        return getattr(api, name)
    raise AttributeError(f"module 'eyebright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

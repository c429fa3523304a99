"""Signatures and docstrings that name every option, for `help()` and for completion in a notebook."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from eyebright.options.base import Config
from eyebright.options.marks import CommandLineOnly

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def with_options(config: type[Config]) -> Callable[[FunctionT], FunctionT]:
    """Complete a function's signature and docstring with the options that its ``**options`` take.

    Args:
        config: the class whose fields are the options.
    """

    def completed(function: FunctionT) -> FunctionT:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        options = keyword_fields(config, {p.name for p in own})
        further = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
            )
            for name, field in options.items()
        ]
        # `setattr`, because a function's type does not know the attribute, which `inspect` looks for.
        setattr(function, "__signature__", signature.replace(parameters=[*own, *further]))  # noqa: B010
        lines = "\n".join(_described(options))
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nOptions:\n{lines}\n"
        return function

    return completed


def keyword_fields(config: type[Config], parameters: set[str]) -> dict[str, FieldInfo]:
    """Return the fields of ``config`` that are keywords in Python beside a function's own ``parameters``."""
    return {
        name: field
        for name, field in config.model_fields.items()
        if name not in parameters and not any(isinstance(mark, CommandLineOnly) for mark in field.metadata)
    }


def _described(options: dict[str, FieldInfo]) -> Iterator[str]:
    for name, field in options.items():
        default = field.default
        text = (field.description or "").rstrip(".")
        shown = str(default) if isinstance(default, Path) else default
        yield f"    {name}: {text}." if default is None else f"    {name}: {text} (default: {shown!r})."

"""Marks of a field for the command line: a position, a heading, its value's name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Positional:
    """The option is given by its place although it may be left out."""


@dataclass(frozen=True)
class Named:
    """The option is given by its name although it must be given."""


@dataclass(frozen=True)
class Heading:
    """The option is the first of a group with this English title."""

    title: str


@dataclass(frozen=True)
class Metavar:
    """What the help calls the option's value, where its type says too little."""

    word: str


@dataclass(frozen=True)
class Several:
    """The option takes several values after its name: ``--to onnx openvino``."""


@dataclass(frozen=True)
class Short:
    """The option has a second name of one letter: ``-n``."""

    name: str


@dataclass(frozen=True)
class CommandLineOnly:
    """The option says what the command line reads or prints, so it is no keyword of the Python API."""

"""Command-line options from a config class: one option a field, so that CLI, TOML and web forms agree."""

from __future__ import annotations

import argparse
import math
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from eyebright.errors import ConfigError
from eyebright.options.marks import Heading, Metavar, Named, Positional, Several, Short
from eyebright.options.problems import option_name, unknown_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo

    from eyebright.options.base import Config

HELP = ("-h", "--help")


@dataclass(frozen=True)
class Option:
    """One field as the command line shows it.

    Attributes:
        field: the config's field.
        spelling: ``data`` for a positional, ``--val`` for an option.
        choices: the allowed values; empty where any will do.
        types: the plain types that the value may have.
        description: English.
        default: shown in the help; None where the description says what happens.
        metavar: name of the value in the help; empty where the types give it.
        heading: English title of the group that the option begins; empty within a group.
        several: whether several values may follow its name at once.
        short: a second name of one letter, such as ``-n``; empty where it has none.
    """

    field: str
    spelling: str
    choices: tuple[str, ...]
    types: tuple[object, ...]
    description: str
    default: object
    metavar: str = ""
    heading: str = ""
    several: bool = False
    short: str = ""

    @property
    def positional(self) -> bool:
        """Return whether it is given by its place."""
        return not self.spelling.startswith("-")

    @property
    def flag(self) -> bool:
        """Return whether it takes no value."""
        return bool in self.types

    @property
    def many(self) -> bool:
        """Return whether it may have several values."""
        return list in self.types

    @property
    def shown(self) -> str:
        """Return how the help writes it: ``--lang {en,zh}``, ``--seed N``, ``DATA``, ``--no-pixel-cache``."""
        if self.positional:
            return self.field.upper() + (" …" if self.many else "")
        if self.flag:
            # What is on by default is only ever switched off.
            return self.spelling.replace("--", "--no-", 1) if self.default is True else self.spelling
        if self.choices and set(self.types) <= {str, list}:
            return f"{self.spelling} {{{','.join(self.choices)}}}" + (" …" if self.several else "")
        names = f"{self.short}, {self.spelling}" if self.short else self.spelling
        return f"{names} {self.metavar or self._types_in_words()}"

    def _types_in_words(self) -> str:
        names = {Path: "PATH", float: "SHARE", int: "N", str: "TEXT"}
        return "|".join(
            [names[t] for t in names if t in self.types and not (t is str and self.choices)]
            + list(self.choices)
        )


def options_of(config: type[Config]) -> list[Option]:
    """Return the options of ``config``, in the order of its fields."""
    return [_option(name, field) for name, field in config.model_fields.items()]


def parse(options: list[Option], argv: Sequence[str], *, file: bool) -> dict[str, Any]:
    """Parse the words of a command line; whether the values are valid is for the config to check.

    Args:
        options: the verb's.
        argv: the words after the verb.
        file: whether there is a ``--config`` option; its value is under ``"config"``.

    Returns:
        Values by field name, None where nothing was given, and ``"help"``.

    Raises:
        ConfigError: an option that does not exist, or one without its value.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(*HELP, action="store_true", dest="help")
    if file:
        parser.add_argument("--config", dest="config")
    for option in options:
        _add(parser, option)
    try:
        given, rest = parser.parse_known_intermixed_args(argv)
    except argparse.ArgumentError as error:
        raise _misuse(error) from None
    if rest:
        raise _unexpected(rest, [*HELP, *(["--config"] if file else []), *(o.spelling for o in options)])
    values = vars(given)
    for option in options:
        values[option.field] = _typed(values[option.field], option)
    return values


def _option(name: str, field: FieldInfo) -> Option:
    choices, kinds = _kinds(field.annotation)
    plain = option_name(name).replace("_", "-")
    silent = field.is_required() or field.default is False or field.default == []
    several, named, positional = (
        any(isinstance(mark, kind) for mark in field.metadata) for kind in (Several, Named, Positional)
    )
    placed = not several and not named and (field.is_required() or positional)
    return Option(
        field=name,
        spelling=plain if placed else f"--{plain}",
        choices=choices,
        types=kinds,
        description=field.description or "",
        default=None if silent else field.default,
        metavar=next((mark.word for mark in field.metadata if isinstance(mark, Metavar)), ""),
        heading=next((mark.title for mark in field.metadata if isinstance(mark, Heading)), ""),
        several=several,
        short=next((mark.name for mark in field.metadata if isinstance(mark, Short)), ""),
    )


def _kinds(annotation: Any) -> tuple[tuple[str, ...], tuple[object, ...]]:
    """Return choices and plain types of an annotation such as ``int | Literal["auto"]``."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        parts = [_kinds(part) for part in get_args(annotation) if part is not types.NoneType]
        return sum((p[0] for p in parts), ()), tuple(dict.fromkeys(sum((p[1] for p in parts), ())))
    if origin is Literal:
        return tuple(map(str, get_args(annotation))), (str,)
    if origin is list:
        choices, kinds = _kinds(get_args(annotation)[0])
        return choices, (list, *kinds)
    if hasattr(annotation, "__metadata__"):
        return _kinds(get_args(annotation)[0])
    return (), (annotation,)


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    if option.positional:
        # Never required here: the value may be in the TOML file, and the config reports what is missing.
        parser.add_argument(option.field, nargs="*" if option.many else "?")
    elif option.flag:
        parser.add_argument(option.spelling, action=argparse.BooleanOptionalAction, dest=option.field)
    elif option.several:
        parser.add_argument(option.spelling, action="extend", nargs="+", dest=option.field)
    elif option.many:
        parser.add_argument(option.spelling, action="append", dest=option.field)
    else:
        names = [option.short, option.spelling] if option.short else [option.spelling]
        parser.add_argument(*names, dest=option.field)


def _typed(value: Any, option: Option) -> Any:
    """Return ``value`` as a number where an option takes a share or a path; pydantic would make it a path."""
    if value == [] and option.many:
        return None
    if isinstance(value, str) and float in option.types and Path in option.types:
        try:
            number = float(value)
        except ValueError:
            return value
        return number if math.isfinite(number) else value
    return value


def _misuse(error: argparse.ArgumentError) -> ConfigError:
    name = str(error.argument_name).split("/")[0]
    if error.message.startswith("ignored explicit argument"):
        return ConfigError(
            "{option} is a flag and takes no value. It was given one. Remove the value.",
            option=name,
        )
    return ConfigError("{option} needs a value. None was given. Add one.", option=name)


def _unexpected(rest: list[str], known: list[str]) -> ConfigError:
    unknown = next((word for word in rest if word.startswith("-") and word not in ("-", "--")), None)
    if unknown is None:
        return ConfigError(
            "Each value must belong to an option. {words} does not. Put names with spaces in quotes.",
            words=" ".join(rest),
        )
    return unknown_option(unknown.split("=")[0], [k for k in known if k.startswith("-")])

"""Conditions on runs: `NAME OP VALUE`, compared and never evaluated as code."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from eyebright.errors import ConfigError, nearest

#: What a run says of itself by name.
Value: TypeAlias = float | str

_CONDITION = re.compile(r"\s*([^\s<>=!~]+)\s*(>=|<=|!=|==|=|>|<|~)\s*([^\s<>=!~].*?)\s*")
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(%?)")
_QUOTES = "\"'"
_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Condition:
    """One condition on a run.

    Attributes:
        name: of a column or metric.
        operator: one of ``> >= < <= = == != ~``; `~` asks whether a text contains another.
        value: to compare with.
    """

    name: str
    operator: str
    value: Value

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Return whether a run meets it; one that does not know the name, or as another kind, does not."""
        found, wanted = values.get(self.name), self.value
        if found is None:
            return False
        if self.operator == "~":
            return str(wanted).casefold() in str(found).casefold()
        if isinstance(found, str) or isinstance(wanted, str):
            # A hash may look like a number, and a date like a text: as texts both compare as they read.
            found, wanted = _text(found).casefold(), _text(wanted).casefold()
        return _COMPARED[self.operator](found, wanted)


def parse_condition(text: str) -> Condition:
    """Return a condition from text such as ``accuracy > 0.9``, ``accuracy > 90 %`` or ``task = multi-label``.

    Raises:
        ConfigError: it is none.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ConfigError(
            'A condition must be a name, one of > >= < <= = != ~, and a number or text, such as "accuracy > '
            '0.9". Got {text}.',
            text=repr(text),
        )
    number = _NUMBER.fullmatch(match[3])
    if number is None:
        return Condition(match[1], match[2], match[3].strip(_QUOTES))
    return Condition(match[1], match[2], float(number[1]) / (100 if number[2] else 1))


def require_known(name: str, runs: Sequence[Mapping[str, Value]]) -> None:
    """Refuse a name that no run knows.

    Raises:
        ConfigError: naming those most like it.
    """
    known = {known for values in runs for known in values}
    if runs and name not in known:
        raise ConfigError(
            "Conditions and --sort must name a column or a metric of the runs. {name} is none. Perhaps: "
            "{near}.",
            name=name,
            near=nearest(name, known),
        )


def _text(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"

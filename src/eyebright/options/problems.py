"""What is wrong with given options, in sentences: all of it at once, in either language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from eyebright.errors import ConfigError, EyebrightError, nearest
from eyebright.options.synonyms import meant
from eyebright.text.language import speaking, translate

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


@dataclass(frozen=True)
class Mismatch:
    """A value that is none of the things that its option may be (``size``: a whole number, or auto)."""

    name: str
    value: object
    errors: tuple[ErrorDetails, ...]

    def text(self) -> str:
        """Return the sentence in ``lang``."""
        wanted = dict.fromkeys(_wanted(error) for error in self.errors)
        return translate(
            "{name} must be {wanted}; got {value}.",
            name=self.name,
            wanted=translate(" or ").join(wanted),
            value=repr(self.value),
        )


class OptionsError(ConfigError):
    """Every unknown name and every value that cannot be, of one set of options."""

    def __init__(self, problems: Iterable[Mismatch | EyebrightError]) -> None:
        self.problems = tuple(problems)
        with speaking("en"):  # as every error's `str`
            sentences = self._sentences()
        super().__init__(
            "Options must exist and have valid values. {problems} Correct them and run again.",
            problems=sentences,
        )

    def text(self) -> str:
        """Return all problems in the current language."""
        return translate(self.template, problems=self._sentences())

    def _sentences(self) -> str:
        return " ".join(problem.text() for problem in self.problems)


def problems(error: ValidationError, known: Iterable[str]) -> Iterator[Mismatch | EyebrightError]:
    """Return one problem for each option that ``error`` names; ``known`` are the options that there are."""
    names = tuple(known)
    for name, group in groupby(error.errors(), key=lambda e: str(e["loc"][0]) if e["loc"] else ""):
        yield _problem(option_name(name), tuple(group), [option_name(n) for n in names])


def unknown_option(name: str, known: Iterable[str]) -> ConfigError:
    """Return the error for an option that does not exist; ``known`` are those that do, written alike."""
    options = list(known)
    if (other := meant(name, options)) is not None:
        return ConfigError("Unknown option {option}. Did you mean {meant}?", option=name, meant=other)
    return ConfigError(
        "Unknown option {option}. The closest are: {nearest}.", option=name, nearest=nearest(name, options)
    )


def option_name(field: str) -> str:
    """Return the option's name of a field (``json_`` stands for ``json``, which pydantic reserves)."""
    return field.rstrip("_")


def _problem(name: str, errors: tuple[ErrorDetails, ...], known: list[str]) -> Mismatch | EyebrightError:
    first = errors[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, EyebrightError):
        return cause
    if first["type"] == "extra_forbidden":
        return unknown_option(name, known)
    if first["type"] == "missing":
        return ConfigError("{name} must be given.", name=name)
    return Mismatch(name, first["input"], errors)


def _wanted(error: ErrorDetails) -> str:
    """Return what the value should have been, as the end of "must be"."""
    limits: dict[str, Any] = error.get("ctx", {})
    match error["type"].split("_"):
        case ["greater", "than", "equal"]:
            return translate("at least {limit}", limit=limits["ge"])
        case ["less", "than", "equal"]:
            return translate("at most {limit}", limit=limits["le"])
        case ["greater", "than"]:
            return translate("more than {limit}", limit=limits["gt"])
        case ["less", "than"]:
            return translate("less than {limit}", limit=limits["lt"])
        case ["multiple", "of"]:
            return translate("a multiple of {limit}", limit=limits["multiple_of"])
        case ["literal", "error"]:
            return _choices(str(limits["expected"]))
        case ["int", *_]:
            return translate("a whole number")
        case ["float", *_]:
            return translate("a number")
        case ["bool", *_]:
            return translate("true or false")
        case ["path", *_]:
            return translate("a path")
        case ["too", "short"]:
            return translate("a list of at least {limit:value|values}", limit=limits["min_length"])
        case _:
            return translate("valid ({message})", message=error["msg"])


def _choices(expected: str) -> str:
    """Return pydantic's ``'a', 'b' or 'c'`` without the quotes, in ``lang``."""
    return expected.replace("'", "").replace(" or ", translate(" or "))

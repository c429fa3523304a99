"""What every stage's options have in common: strict fields, all errors reported at once, TOML both ways."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Self, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from eyebright.errors import ConfigError, NotFoundError
from eyebright.options.problems import OptionsError, problems
from eyebright.runtime.stored import read_stored, reason_of


class Config(BaseModel):
    """Base of the option classes; fields with their descriptions are the one source of help."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take one value where an option may have several, and paths where it has texts."""
        several = {name for name, field in cls.model_fields.items() if get_origin(field.annotation) is list}
        return {name: _list(value) if name in several else _text(value) for name, value in values.items()}

    @field_validator("*", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """Refuse the one character that no file's name may have, and that the system takes for its end."""
        if any("\0" in str(one) for one in (value if isinstance(value, list) else [value])):
            raise ConfigError("A name must not contain the character NUL. Remove it.")
        return value

    @classmethod
    def build(cls, file: Path | None = None, **options: Any) -> Self:
        """Return options from a TOML file, overridden by those given.

        Args:
            file: a TOML file with the same keys, or None.
            **options: values by name; a value of None counts as not given.

        Raises:
            ConfigError: naming every unknown key and every value that cannot be, at once.
            NotFoundError: ``file`` does not exist.
        """
        values = (_read(file) if file else {}) | {k: v for k, v in options.items() if v is not None}
        try:
            return cls(**values)
        except ValidationError as error:
            raise OptionsError(problems(error, cls.model_fields)) from None

    def toml(self) -> str:
        """Return these options as TOML, which :meth:`build` reads back.

        Options that are unset are left out.
        """
        import tomli_w

        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def _list(value: Any) -> Any:
    given = [value] if isinstance(value, str | os.PathLike) else value
    if not isinstance(given, list | tuple):
        return given
    return [_text(one) for one in given]


def _text(value: Any) -> Any:
    """Return the path that a value is or, as a run, stands for."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(read_stored(file).decode("utf-8"))
    except FileNotFoundError:
        raise NotFoundError(
            "The configuration file must exist. {path} does not. Check the path.", path=file
        ) from None
    except OSError as error:
        raise ConfigError(
            "The configuration file must be readable. Reading {path} failed: {reason}. Check the path.",
            path=file,
            reason=reason_of(error),
        ) from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, tables in tables in tables
        raise ConfigError(
            "The configuration file must be valid TOML. {path}: {error}. Correct that line.",
            path=file,
            error=error,
        ) from None

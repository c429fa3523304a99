"""What every stage's options have in common: strict fields, all errors reported at once, TOML both ways."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from eyebright.errors import ConfigError, NotFoundError, nearest


class Config(BaseModel):
    """Base of the option classes; a field's name, type, default and description are the one source of help."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def build(cls, file: Path | None = None, **options: Any) -> Self:
        """Options from a TOML file, overridden by those given.

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
            raise ConfigError(
                "Options must have known names and valid values. {problems}. Mend them and run again.",
                problems="; ".join(_problem(cls, e) for e in error.errors()),
            ) from None

    def toml(self) -> str:
        """These options as TOML, which :meth:`build` reads back; options that are unset are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(
            "The configuration file must exist. {path} does not. Check the path.", path=file
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            "The configuration file must be TOML. {path}: {error}. Mend the line that is named.",
            path=file,
            error=error,
        ) from None


def _problem(cls: type[BaseModel], error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"][:1])
    if error["type"] == "extra_forbidden":
        return f"unknown option {name!r} (nearest: {nearest(name, cls.model_fields)})"
    return f"{name}: {error['msg']}, got {error['input']!r}"

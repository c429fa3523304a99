"""What every stage's options have in common: strict fields, all errors reported at once, TOML both ways."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from eyebright.errors import ConfigError, NotFoundError
from eyebright.options.problems import OptionsError, problems


class Config(BaseModel):
    """Base of the option classes; fields with their descriptions are the one source of help."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(
            "The configuration file must exist. {path} does not. Check the path.", path=file
        ) from None
    except OSError as error:
        raise ConfigError(
            "The configuration file must be readable. Reading {path} failed: {reason}. Check the path.",
            path=file,
            reason=error.strerror,
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            "The configuration file must be valid TOML. {path}: {error}. Correct that line.",
            path=file,
            error=error,
        ) from None

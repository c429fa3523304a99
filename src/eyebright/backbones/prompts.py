"""Prompts: the sentences by which a text tower learns of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from eyebright.errors import ConfigError, NotFoundError
from eyebright.runtime.stored import STORED, read_stored, reason_of

#: Where the class's name goes in a template.
PLACE = "{}"


class _Stored(BaseModel):
    """A prompts file as it is read."""

    model_config = STORED

    templates: Annotated[list[str], Field(min_length=1)] | None = None
    classes: dict[str, str | Annotated[list[str], Field(min_length=1)]] = {}


@dataclass(frozen=True)
class Prompts:
    """How classes are described to a text tower.

    Attributes:
        templates: sentences with ``{}`` in place of the name; None for those that the towers' authors use.
        names: of some classes, what they are called in prompts; the others are called by their label.
    """

    templates: tuple[str, ...] | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, label: str, usual: Sequence[str]) -> list[str]:
        """Return the prompts of a class.

        Args:
            label: of the class; underscores are read as spaces.
            usual: the templates to take where none were given.
        """
        names = self.names.get(label) or (label.replace("_", " "),)
        return [template.replace(PLACE, name) for name in names for template in self.templates or usual]

    def check(self, labels: Sequence[str]) -> None:
        """Refuse names of classes that there are not.

        Raises:
            ConfigError: naming one.
        """
        for label in self.names:
            if label not in labels:
                raise ConfigError(
                    "[classes] of the prompts must name classes of the data. There is none named {label}. "
                    "The classes are: {labels}.",
                    label=label,
                    labels=", ".join(labels),
                )


def read_prompts(path: Path) -> Prompts:
    """Read a prompts file: TOML with ``templates``, a list, and ``[classes]``, label = name or list of names.

    Raises:
        NotFoundError: there is no such file.
        ConfigError: it is not TOML, or holds something else.
    """
    import tomllib

    try:
        stored = _Stored.model_validate(tomllib.loads(read_stored(path).decode("utf-8")))
    except FileNotFoundError:
        raise NotFoundError("The prompts must be a file. {path} is not. Check the path.", path=path) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _unreadable(path, f"{place}: {first['msg']}") from None
    except OSError as error:
        raise _unreadable(path, reason_of(error)) from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise _unreadable(path, str(error)) from error
    if lacking := [t for t in stored.templates or () if PLACE not in t]:
        raise _unreadable(path, f"{lacking[0]!r} lacks {PLACE}")
    names = {
        label: (value,) if isinstance(value, str) else tuple(value) for label, value in stored.classes.items()
    }
    return Prompts(None if stored.templates is None else tuple(stored.templates), names)


def _unreadable(path: Path, reason: str) -> ConfigError:
    return ConfigError(
        'Prompts must be TOML such as: templates = ["a photo of a {{}}."] and, under [classes], label = '
        '"name". '
        "{path}: {reason}.",
        path=path,
        reason=reason,
    )

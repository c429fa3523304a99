"""The options of `eyebright studio`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.columns import comma_separated
from eyebright.options.fields import ReportLang
from eyebright.options.marks import Metavar, Positional, Several

_ORIGIN = re.compile(r"[a-z][a-z-]*:(//[\w.*-]+(:(\d+|\*))?)?")


class StudioConfig(Config):
    """Options of `eyebright studio`; every field is also a command-line option and a TOML key."""

    folder: Annotated[Path, Positional()] = Field(
        Path(),
        description=(
            "Folder of images, labelled or not, perhaps empty (default: this one); results go to its studio/."
        ),
    )
    queue: Annotated[Path | None, Metavar("FILE")] = Field(
        None,
        description="Also review the images that this CSV file lists (path, score, reason).",
    )
    text: Annotated[list[str], Metavar("COLUMN,…"), BeforeValidator(comma_separated)] = Field(
        [],
        description=(
            "Columns of the folder's table with texts to show beside images (default: text, if there is one, "
            "and name.txt beside name.jpg)."
        ),
    )
    multilabel: bool = Field(
        False,
        description="An image may have any number of labels (default: where those that it has say so).",
    )
    host: str = Field(
        "127.0.0.1", description="Address to listen on; any but this machine's own needs --token-file."
    )
    port: int = Field(8765, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    token_file: Annotated[Path | None, Metavar("FILE")] = Field(
        None,
        description=(
            "File with a token per line, or ROLE TOKEN with the role view, label or admin (default: a new "
            "token, printed with the address)."
        ),
    )
    tls_cert: Annotated[Path | None, Metavar("FILE")] = Field(None, description="Certificate for TLS (PEM).")
    tls_key: Annotated[Path | None, Metavar("FILE")] = Field(
        None, description="Key of the certificate (PEM)."
    )
    allow_host: Annotated[list[str], Several(), Metavar("NAME")] = Field(
        [], description="Further host names by which browsers may call the studio."
    )
    frame_from: Annotated[list[str], Several(), Metavar("ORIGIN")] = Field(
        [],
        description="Origins whose pages may show the studio in a frame, such as those of a notebook.",
    )
    public_url: Annotated[str | None, Metavar("URL")] = Field(
        None, description="Address by which browsers reach the studio, where a proxy stands between."
    )
    lang: ReportLang = "en"

    @field_validator("frame_from")
    @classmethod
    def _origins(cls, values: list[str]) -> list[str]:
        for value in values:
            if not _ORIGIN.fullmatch(value):  # it becomes part of a policy, where a semicolon ends a rule
                raise ConfigError(
                    "An origin must be such as https://example.org or http://localhost:*. Got {value}. Leave "
                    "out the path.",
                    value=value,
                )
        return values

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not _ORIGIN.fullmatch(value.rstrip("/")):
            raise ConfigError(
                "--public-url must be an address without a path, such as https://studio.example.org. Got "
                "{value}. Correct it.",
                value=value,
            )
        return value

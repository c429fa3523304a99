"""The options of `eyebright serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from eyebright.options.base import Config
from eyebright.options.fields import MessageLang, time_seconds
from eyebright.options.marks import Metavar, Several


class ServeConfig(Config):
    """Options of `eyebright serve`; every field is also a command-line option and a TOML key."""

    models: list[str] = Field(
        min_length=1,
        description="Models to serve: run directories or model.onnx files, each as PATH or NAME=PATH.",
    )
    host: str = Field(
        "127.0.0.1", description="Address to listen on; any but this machine's own needs --token-file."
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    token_file: Annotated[Path | None, Metavar("FILE")] = Field(
        None, description="File with a token per line, or ROLE TOKEN with the role view, label or admin."
    )
    tls_cert: Annotated[Path | None, Metavar("FILE")] = Field(None, description="Certificate for TLS (PEM).")
    tls_key: Annotated[Path | None, Metavar("FILE")] = Field(
        None, description="Key of the certificate (PEM)."
    )
    allow_host: Annotated[list[str], Several(), Metavar("NAME")] = Field(
        [], description="Further host names by which requests may call the service."
    )
    deadline: Annotated[float, BeforeValidator(time_seconds), Metavar("TIME")] = Field(
        2.0,
        le=60,
        description="Time within which an image is answered; requests that would wait longer get 429.",
    )
    max_body: int = Field(32, ge=1, le=1024, description="Largest request body, in MB.")
    max_images: int = Field(256, ge=1, description="Most images in one request.")
    max_pixels: int = Field(
        50_000_000, ge=1, description="Most pixels of an image; larger ones are not decoded."
    )
    images_root: Path | None = Field(
        None, description="Folder of the images that Label Studio names in its tasks (default: none)."
    )
    shadow: Path | None = Field(
        None, description="Run whose model answers the first model's images silently, to be compared."
    )
    log: Annotated[Path | None, Metavar("FOLDER")] = Field(
        None,
        description="Folder in which a log of each model is kept, for `eyebright monitor` and the metrics.",
    )
    keep_images: int = Field(
        0,
        ge=0,
        description=(
            "With --log: keep so many of the images that the model is least sure of, for the review queue."
        ),
    )
    lang: MessageLang = "en"

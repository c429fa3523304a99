"""The option that says where the features of many images are computed."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from eyebright.cluster.choose import check_address
from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.options.marks import Heading, Metavar


def _checked(address: str | None) -> str | None:
    return None if address is None else check_address(address)


class ClusterConfig(Config):
    """Which machines compute."""

    cluster: Annotated[str | None, Metavar("ADDRESS"), Heading("Cluster"), AfterValidator(_checked)] = Field(
        None,
        description=(
            "Compute the features of many images on workers: local:N (processes of this machine), ray, or "
            "ray://HOST:PORT (default: in this process)."
        ),
    )


def not_for_workers(image: object) -> ConfigError:
    """Return the error of an image in memory, which workers do not see."""
    return ConfigError(
        "With --cluster, images must be files that workers can read. Got {kind}. Write it to a file, or "
        "leave --cluster out.",
        kind=type(image).__name__,
    )

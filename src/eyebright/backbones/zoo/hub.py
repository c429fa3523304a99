"""Weights from a hub: used where there is a network, and a clear error within seconds where there is none."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from eyebright.errors import EyebrightError

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class HubError(EyebrightError, OSError):
    """The weights are on a hub that cannot be reached."""


@contextmanager
def hugging_face(name: str) -> Iterator[None]:
    """Run a reader of the Hugging Face hub; files that were read before need no network.

    Raises:
        HubError: the hub was needed and could not be reached.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    # Offline it fails at once; by itself it would try six times each of several files, for a minute.
    constants.HF_HUB_OFFLINE = before or not _known(constants.ENDPOINT)
    try:
        yield
    except OSError as error:
        raise unreachable(name, constants.ENDPOINT) from error
    finally:
        constants.HF_HUB_OFFLINE = before


def unreachable(name: str, hub: str) -> HubError:
    """Return the error for weights that could not be fetched."""
    return HubError(
        "The weights of {name} must come from a model hub or a file. {hub} cannot be reached or does "
        "not have them. Give a file with --weights FILE (safetensors or .pth), connect to a network, "
        "or use the backbone efficientnet_lite0, whose weights are installed with Eyebright.",
        name=name,
        hub=hub,
    )


def _known(address: str) -> bool:
    """Return whether the host's name can be resolved, or a proxy will do it."""
    if any(os.environ.get(name) for name in _PROXIES):
        return True
    try:
        return bool(socket.getaddrinfo(urlsplit(address).hostname, 443))
    except OSError:
        return False

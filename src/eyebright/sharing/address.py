"""What an address of a shared run leads to."""

from __future__ import annotations

import re
from pathlib import Path

from eyebright.data.storage.remote import is_remote_scheme
from eyebright.errors import ConfigError
from eyebright.sharing.bucket import BucketPlace
from eyebright.sharing.folder import FolderPlace
from eyebright.sharing.hub import HubPlace
from eyebright.sharing.place import Place

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://?(.*)")
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_REPOSITORY = re.compile(rf"({_PART}/{_PART})(?:@([^\s@]+))?")


def place_at(address: str, *, private: bool = True) -> Place:
    """Return the place of an address: `hf://OWNER/NAME`, `s3://BUCKET/FOLDER`, or a folder.

    Args:
        address: as the person wrote it.
        private: whether a repository that must be made is private.

    Raises:
        ConfigError: it is no such address.
        DataError: a bucket does not answer, or not to us.
        MissingExtraError: what the address needs is not installed.
    """
    url = _URL.fullmatch(address.strip())
    if url is None:
        if not address.strip():
            raise ConfigError(
                "The place of a shared run must be hf://OWNER/NAME, s3://BUCKET/FOLDER or a folder. Got an "
                "empty text. Name one."
            )
        return FolderPlace(Path(address))
    scheme, rest = url[1].lower(), url[2].strip("/")
    if scheme == "hf":
        found = _REPOSITORY.fullmatch(rest)
        if found is None:
            raise ConfigError(
                "A repository of the hub must be written hf://OWNER/NAME, perhaps with @REVISION. Got "
                "{address}. Correct it.",
                address=address,
            )
        return HubPlace(found[1], found[2], private=private)
    if not is_remote_scheme(scheme):
        raise ConfigError(
            "The place of a shared run must be hf://OWNER/NAME, s3://BUCKET/FOLDER or a folder. Got "
            "{address}. Use one of these.",
            address=address,
        )
    host, _, folder = rest.partition("/")
    if not folder:
        raise ConfigError(
            "A run must lie in a folder of its bucket. {address} names the bucket alone. Add a folder, such "
            "as {example}.",
            address=address,
            example=f"{scheme}://{host or 'BUCKET'}/RUN",
        )
    return BucketPlace(scheme, host, folder)

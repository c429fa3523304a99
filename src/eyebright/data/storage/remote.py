"""Buckets and other remote file systems as a storage, through pyarrow and, where it is installed, fsspec."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from eyebright.data.storage.base import StorageEntry
from eyebright.errors import DataError, MissingExtraError
from eyebright.types import Skipped

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

#: What pyarrow reads by itself; fsspec, where it is installed, reads more.
ARROW_SCHEMES = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "hdfs"})
# Not on another machine, or on any machine that a name in somebody's data may ask for.
_NOT_READ = frozenset({"file", "local", "dir", "reference", "data", "http", "https"})
_CONNECT_SECONDS, _REQUEST_SECONDS, _WAIT_SECONDS = 5, 30, 40
_ATTEMPTS = 2
_BLOCK_BYTES = 2**20
# As Google's and Microsoft's own clients have them.
_GCS_EMULATOR, _AZURE = "STORAGE_EMULATOR_HOST", "AZURE_STORAGE_CONNECTION_STRING"
_S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class RemoteStorage:
    """The files of a bucket, container or host.

    Args:
        scheme: such as `s3`.
        host: the bucket, container or host.

    Raises:
        DataError: it does not answer in time, or not to us; or a password stands in its address.
        MissingExtraError: what reads the scheme is not installed.
    """

    skipped: Sequence[Skipped] = ()

    def __init__(self, scheme: str, host: str) -> None:
        if ":" in host.rpartition("@")[0]:  # which would be written into reports and options
            raise DataError(
                "Keys must stand in the environment, not in the address of remote data. The address of "
                "{scheme}:// has some. Remove them.",
                scheme=scheme,
            )
        self._place = f"{scheme}://{host}"
        # pyarrow lists no folder of a Google bucket that is but the beginning of keys, as most are.
        self._folders_unlisted = scheme in ("gs", "gcs")
        self._system: FileSystem
        self._system, self._top = self._asked(lambda: _connect(scheme, host))
        self._asked(lambda: self._info(""))

    def size(self, name: str) -> int | None:
        """Return the bytes of a file, or None where there is no such file."""
        info = self._info(name)
        return int(info.size or 0) if info.is_file else None

    def is_folder(self, name: str) -> bool:
        """Return whether a folder, or a beginning of keys, has that name."""
        from pyarrow.fs import FileType

        return bool(self._info(name).type == FileType.Directory)

    def entries(self, folder: str) -> Iterator[StorageEntry]:
        """Yield what lies directly in a folder.

        Raises:
            OSError: it cannot be listed.
        """
        from pyarrow.fs import FileSelector, FileType

        top = self._full(folder)
        folders: set[str] = set()
        for info in self._system.get_file_info(FileSelector(top, recursive=self._folders_unlisted)):
            name, _, rest = info.path[len(top) :].lstrip("/").partition("/")
            is_folder = bool(rest) or info.type == FileType.Directory
            if name in folders:
                continue
            if is_folder:
                folders.add(name)
            path = f"{folder}/{name}" if folder else name
            yield StorageEntry(name, path, is_folder, 0 if is_folder else int(info.size or 0))

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            OSError: it cannot be read.
        """
        with self._system.open_input_stream(self._top + name) as file:
            data: bytes = file.read()
        return data

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading at any place.

        Raises:
            OSError: it cannot be read.
        """
        file: BinaryIO = self._system.open_input_file(self._top + name)
        return file

    def write(self, name: str, content: Path | bytes) -> None:
        """Write a file, which appears when all of it is there.

        Args:
            name: in the bucket.
            content: a file on this disk, or bytes.

        Raises:
            OSError: it cannot be written.
        """
        # Opened first: a stream that is closed half-way would leave half a file.
        with (
            BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source,
            self._system.open_output_stream(self._top + name) as file,
        ):
            while block := source.read(_BLOCK_BYTES):
                file.write(block)

    def remove(self, name: str) -> None:
        """Remove a file.

        Raises:
            OSError: it is not there, or may not be removed.
        """
        self._system.delete_file(self._top + name)

    def _info(self, name: str) -> Any:
        return self._system.get_file_info(self._full(name))

    def _full(self, name: str) -> str:
        """Return the path as the file system knows it."""
        return (self._top + name).rstrip("/") or "/"

    def _asked(self, question: Callable[[], Any]) -> Any:
        """Return the answer to a first question, which some clients would wait for ever for."""
        answers: list[Any] = []

        def ask() -> None:
            try:
                answers.append(question())
            except Exception as error:  # of whatever client it is
                answers.append(error)

        thread = Thread(target=ask, daemon=True)
        thread.start()
        thread.join(_WAIT_SECONDS)
        answer = answers[0] if answers else TimeoutError(f"no answer in {_WAIT_SECONDS} s")
        if isinstance(answer, MissingExtraError):
            raise answer
        if isinstance(answer, Exception):
            raise DataError(
                "Remote data must be reachable, with the rights to list and read it. {place}: {reason}. "
                "Check the address, the network, and the keys in the environment (for S3: AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL).",
                place=self._place,
                reason=" ".join(str(answer).split()).strip(" .") or type(answer).__name__,
            )
        return answer


def is_remote_scheme(name: str) -> bool:
    """Return whether files of a URL with this scheme are read: by pyarrow, or by fsspec."""
    return name in ARROW_SCHEMES or (len(name) > 1 and name in _fsspec_protocols())


def _fsspec_protocols() -> frozenset[str]:
    try:
        import fsspec
    except ImportError:
        return frozenset()
    return frozenset(fsspec.available_protocols()) - _NOT_READ


def _connect(scheme: str, host: str) -> tuple[FileSystem, str]:
    """Return the file system, and what stands before every path in it."""
    from pyarrow import fs

    if scheme == "s3":
        return _s3(host), f"{host}/"
    if scheme in ("gs", "gcs"):
        return _gcs(), f"{host}/"
    if scheme in ("abfs", "abfss") and _AZURE in os.environ:
        return _azure(os.environ[_AZURE]), f"{host.partition('@')[0]}/"
    if scheme in ARROW_SCHEMES:
        # Of abfs, the container is part of the path; of hdfs, nothing is, and paths begin at the root.
        system, top = fs.FileSystem.from_uri(f"{scheme}://{host}")
        return system, f"{top.rstrip('/')}/"
    import fsspec

    try:
        system, top = fsspec.core.url_to_fs(f"{scheme}://{host}/")
        return fs.PyFileSystem(fs.FSSpecHandler(system)), f"{top.rstrip('/')}/"
    except ImportError as error:
        raise MissingExtraError(
            "{scheme}:// is read by a package of its own. It is not installed: {error}.",
            scheme=scheme,
            error=error,
        ) from None


def _s3(bucket: str) -> FileSystem:
    from pyarrow import fs

    endpoint = urlsplit(next((os.environ[name] for name in _S3_ENDPOINTS if os.environ.get(name)), ""))
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None and not endpoint.netloc:
        region = fs.resolve_s3_region(bucket)
    return fs.S3FileSystem(
        region=region,
        endpoint_override=endpoint.netloc or None,
        scheme=endpoint.scheme or "https",
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


def _gcs() -> FileSystem:
    from pyarrow import fs

    wait = timedelta(seconds=_REQUEST_SECONDS)
    if not (emulator := os.environ.get(_GCS_EMULATOR)):
        return fs.GcsFileSystem(retry_time_limit=wait)
    endpoint = urlsplit(emulator if "://" in emulator else f"http://{emulator}")
    return fs.GcsFileSystem(
        anonymous=True, endpoint_override=endpoint.netloc, scheme=endpoint.scheme, retry_time_limit=wait
    )


def _azure(connection: str) -> FileSystem:
    """Return the file system of a connection string, such as `AccountName=…;AccountKey=…;BlobEndpoint=…`."""
    from pyarrow import fs

    parts = dict(part.split("=", 1) for part in connection.split(";") if "=" in part)
    where: dict[str, str] = {}
    if endpoint := parts.get("BlobEndpoint"):
        # An account's own address ends with nothing; an emulator's ends with the account.
        address = urlsplit(endpoint)
        where = dict.fromkeys(("blob_storage_authority", "dfs_storage_authority"), address.netloc)
        where |= dict.fromkeys(("blob_storage_scheme", "dfs_storage_scheme"), address.scheme)
    key, token = parts.get("AccountKey"), parts.get("SharedAccessSignature")
    account = parts.get("AccountName", "")
    return fs.AzureFileSystem(account_name=account, account_key=key, sas_token=token, **where)

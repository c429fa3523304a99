"""One archive of images, copied from Drive to the local disk in one piece, and unpacked there safely."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from eyebright.data.storage.base import Storage, require_unpackable
from eyebright.data.storage.places import storage_at
from eyebright.errors import ConfigError, DataError, NotFoundError, StorageError
from eyebright.runtime.atomic import atomic_path
from eyebright.runtime.context import progress_task
from eyebright.runtime.stored import open_regular, reason_of

_PIECE = 8 * 2**20
_TRIES = 3


def local_copy(source: Path, folder: Path) -> Path:
    """Copy an archive to the local disk, unless a copy of its size is there.

    Args:
        source: on Drive.
        folder: local.

    Raises:
        NotFoundError: it does not exist.
        ConfigError: it is a folder, whose files Drive would deliver one by one.
        StorageError: Drive did not deliver it, or the disk is full.
    """
    if source.is_dir():
        raise ConfigError(
            "Images on Drive must be in one archive: many files take hours there, and the connection breaks. "
            "{path} is a folder. Compress it to a ZIP file (Drive offers it under Download), and name that.",
            path=source,
        )
    if not source.is_file():
        raise NotFoundError("The archive must exist. {path} does not. Check its name on Drive.", path=source)
    target = folder / source.name
    size = source.stat().st_size
    if target.is_file() and target.stat().st_size == size:
        return target
    for attempt in range(_TRIES):
        try:
            _copy(source, target, size)
            break
        except StorageError:  # the local disk's
            raise
        except OSError as error:
            if attempt == _TRIES - 1:
                raise StorageError(
                    "Drive must deliver {path}. It did not ({reason}). Run this cell again; if that does not "
                    "help, upload the archive to the notebook's own disk.",
                    path=source,
                    reason=reason_of(error),
                ) from error
    return target


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack an archive into a folder of its own, unless it is there.

    Links, and names that lead out of the archive, are left out, as everywhere.

    Args:
        archive: ZIP or tar.
        folder: gets a folder named as the archive.

    Returns:
        The folder with the files; where all lie in one folder of the archive, that one.

    Raises:
        DataError: it is no archive, damaged, or would fill the disk.
        StorageError: the disk is full.
    """
    target = folder / archive.name.removesuffix(".gz").rpartition(".")[0]
    if not target.is_dir():
        found = storage_at(archive)
        if found is None:
            raise DataError(
                "Images must come in a ZIP or tar archive. {path} is none. Compress them again.", path=archive
            )
        _unpack(found[0], archive, target)
    inner = [path for path in target.iterdir() if not path.name.startswith(("__MACOSX", "."))]
    return inner[0] if len(inner) == 1 and inner[0].is_dir() else target


def _copy(source: Path, target: Path, size: int) -> None:
    with (
        atomic_path(target) as temporary,
        open_regular(source) as read,
        temporary.open("wb") as written,
        progress_task(
            "Copying {name} from Drive (MB)", total=max(1, size // 2**20), name=source.name
        ) as task,
    ):
        done = 0
        while piece := read.read(_PIECE):
            written.write(piece)
            task.advance((done + len(piece)) // 2**20 - done // 2**20)
            done += len(piece)
        if done != size:
            raise OSError(5, f"{done} of {size} bytes arrived", str(source))


def _unpack(storage: Storage, archive: Path, target: Path) -> None:
    files = list(_files(storage, ""))
    require_unpackable(archive, sum(storage.size(name) or 0 for name in files))
    target.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=".unpacked-", dir=target.parent))
    try:
        with progress_task("Unpacking {name}", total=len(files), name=archive.name) as task:
            for name in files:
                path = place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(storage.read(name))
                task.advance()
        place.chmod(0o755)  # a temporary folder is its owner's alone
        place.replace(target)
    except OSError as error:
        raise StorageError(
            "{path} must be whole, and the disk must have room to unpack it. Unpacking failed: {reason}. "
            "Copy it again, or free some space.",
            path=archive,
            reason=reason_of(error),
        ) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _files(storage: Storage, folder: str) -> Iterator[str]:
    for entry in storage.entries(folder):
        if entry.is_dir():
            yield from _files(storage, entry.path)
        else:
            yield entry.path

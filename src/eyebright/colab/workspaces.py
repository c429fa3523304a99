"""A place to work in that outlives its machine: local folders, restored from Drive and copied to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from eyebright.api import DataLike, pretrain, train
from eyebright.colab.archive import local_copy, unpacked
from eyebright.colab.drive_folder import DriveFolder, DriveGoneError
from eyebright.colab.earlier import earlier_pretraining, earlier_training, is_object
from eyebright.colab.features import FeatureMirrors, use_cache
from eyebright.colab.mirror import Mirror
from eyebright.colab.sync import Saved, Sync
from eyebright.errors import ConfigError, NotFoundError
from eyebright.report.display import Displayed
from eyebright.runs.run import Run
from eyebright.runtime.context import progress, say, showing
from eyebright.runtime.stored import reason_of
from eyebright.text.language import speaking, translate
from eyebright.types import Lang
from eyebright.verbs.doctor.surroundings import COLAB_MOUNT, drive_root, surroundings
from eyebright.verbs.pretrain.pretrain import read_pretrained
from eyebright.verbs.pretrain.result import PretrainedBackbone

ResultT = TypeVar("ResultT")
_RUNS, _BACKBONES, _DATA, _CACHE = "runs", "backbones", "data", "cache"
# Of this process, by their local folders: two would copy the same files.
_OPEN: dict[Path, Workspace] = {}


class Workspace(Displayed):
    """Local folders for data, features and runs; of the latter two, Drive gets copies.

    Made by :func:`workspace`.

    Args:
        local: the folder on this machine's disk.
        drive: the folder on Drive; None where there is none.
        seconds: between two copies.
        lang: of what is said.
    """

    def __init__(self, local: Path, drive: DriveFolder | None, seconds: float, lang: Lang) -> None:
        self.local = local.absolute()
        self._drive, self._lang = drive, lang
        self._mirrors: dict[str, Mirror] = {}
        self._features = FeatureMirrors(drive, self.local / _CACHE) if drive else None
        use_cache(self.local / _CACHE)
        self._restore()
        self._sync = None if drive is None else Sync(self._saved, seconds, progress().say)
        if self._sync is not None:
            self._sync.start()

    # ---- data

    def data(self, archive: str | Path) -> Path:
        """Return the local copy of one archive on Drive; Eyebright reads it as it is.

        Args:
            archive: its path below the root of Drive, or any other path, which is returned as it is.

        Raises:
            NotFoundError: it does not exist.
            ConfigError: it is a folder on Drive.
            StorageError: Drive did not deliver it, or the disk is full.
        """
        root = drive_root()
        given = Path(archive)
        source = given if given.is_absolute() or root is None or given.exists() else root / given
        if not source.exists():
            raise NotFoundError(
                "The archive must exist. {path} does not. Check its name on Drive.", path=source
            )
        if root is None or not source.absolute().is_relative_to(root.absolute()):
            return source
        return self._told(partial(local_copy, source, self.local / _DATA))

    def folder(self, archive: str | Path) -> Path:
        """Return a local folder with the files of one archive, for tools that read no archives.

        Raises:
            EyebrightError: as for :meth:`data`, or it is damaged.
        """
        path = self.data(archive)
        return path if path.is_dir() else self._told(partial(unpacked, path, self.local / _DATA))

    # ---- runs

    def out(self, name: str) -> Path:
        """Return the local folder of a run; what the run writes is copied to Drive."""
        return self.local / _RUNS / _plain(name)

    def train(self, name: str, data: DataLike | None = None, **options: Any) -> Run:
        """Train under a name, once: a finished run is read, one that was broken off goes on.

        Args:
            name: of the run.
            data: as for `eyebright.train`.
            **options: as for `eyebright.train`, without `out`, `overwrite` and `resume`.

        Raises:
            ConfigError: the run of this name was made with other options.
            EyebrightError: as for `eyebright.train`.
        """
        out, options = self.out(name), {"lang": self._lang, **options}
        match earlier_training(out, data, options):
            case "finished":
                self._say_read(out)
                return Run.open(out)
            case "begun":
                objects = {key: value for key, value in options.items() if is_object(key, value)}
                run = train(data, resume=out, lang=self._lang, **objects)
            case "nothing":
                run = train(data, out=out, **options)
        self.sync()
        return run

    def pretrain(self, name: str, data: str | Path, **options: Any) -> PretrainedBackbone:
        """Adapt a backbone under a name, once, as :meth:`train` does.

        Args:
            name: of the backbone.
            data: as for `eyebright.pretrain`.
            **options: as for `eyebright.pretrain`, without `out`, `overwrite` and `resume`.
        """
        out, options = self.local / _BACKBONES / _plain(name), {"lang": self._lang, **options}
        match earlier_pretraining(out, data, options):
            case "finished":
                self._say_read(out)
                return read_pretrained(out)
            case "begun":
                backbone = pretrain(data, resume=out, lang=self._lang, progress=options.get("progress"))
            case "nothing":
                backbone = pretrain(data, out=out, **options)
        self.sync()
        return backbone

    # ---- Drive

    def sync(self) -> bool:
        """Copy to Drive now.

        Returns:
            Whether all there is has arrived; True where there is no Drive.
        """
        return self._sync is None or self._told(self._sync.now)

    def close(self) -> None:
        """Copy to Drive for a last time, and end."""
        if self._sync is not None:
            self._told(self._sync.close)

    def display(self) -> Iterator[str]:
        """Yield where everything lies, and how far Drive is behind."""
        with speaking(self._lang):
            yield translate("Work is done in {path}.", path=self.local)
            if self._drive is None or self._sync is None:
                yield translate("There is no Drive: when this machine goes, so does the work on it.")
            else:
                yield translate("Copied to {path} on Drive.", path=self._drive.folder)
                yield self._sync.status()

    def _saved(self) -> list[Saved]:
        """Return what to bring to Drive: runs and backbones of now, and features that cost the most."""
        found: list[Saved] = []
        for kind in (_RUNS, _BACKBONES):
            folders = (self.local / kind).glob("[!.]*")
            found += [self._mirror(kind, folder.name) for folder in sorted(folders) if folder.is_dir()]
        return [*found, *(self._features.mirrors() if self._features else ())]

    def _mirror(self, kind: str, name: str) -> Mirror:
        if self._drive is None:
            raise DriveGoneError(2, "There is no Drive")
        key = f"{kind}.{name}"
        if key not in self._mirrors:
            self._mirrors[key] = Mirror(self._drive, key, self.local / kind / name)
        return self._mirrors[key]

    def _restore(self) -> None:
        """Take back what an earlier machine brought to Drive."""
        if self._drive is None or self._features is None:
            return
        for folder in self._drive.folders():
            kind, _, name = folder.partition(".")
            if kind in (_RUNS, _BACKBONES) and name:
                found = self._mirror(kind, name).restore()
                if found is not None:
                    say("{name} restored from Drive, as of {written}.", name=name, written=found.written)
                    if found.damaged:
                        say("{count:later copy was|later copies were} damaged.", count=found.damaged)
        self._features.restore()

    def _say_read(self, out: Path) -> None:
        with speaking(self._lang), showing(None):
            say("{name} is finished; it is read, not trained again.", name=out.name)

    def _told(self, work: Callable[[], ResultT]) -> ResultT:
        """Do something in this workspace's language, with its progress shown."""
        with speaking(self._lang), showing(None):
            return work()


def workspace(
    folder: str = "eyebright",
    *,
    local: str | Path = "eyebright-work",
    minutes: float = 5,
    lang: Lang = "en",
) -> Workspace:
    """Open a place to work in: restore what Drive has of it, and copy to Drive what is made.

    In Colab, Drive is mounted first. Elsewhere the environment variable EYEBRIGHT_DRIVE may name the root of
    Drive, or any other folder that outlives the machine; without it nothing is copied.

    Args:
        folder: on Drive.
        local: folder on this machine.
        minutes: between two copies.
        lang: "en" or "zh".

    Raises:
        ConfigError: the folder leads out of Drive, or Drive cannot be written.
        StorageError: the local disk is full.
    """
    with speaking(lang), showing(None):
        root = drive_root()
        if root is None and surroundings().kind == "colab":
            root = _mounted()
        place = Path(local).absolute()
        if place in _OPEN:
            _OPEN.pop(place).close()
        drive = None if root is None or not folder else _on_drive(root, folder)
        _OPEN[place] = Workspace(place, drive, minutes * 60, lang)
        return _OPEN[place]


def _mounted() -> Path | None:
    """Mount Drive, which asks the person for permission; None where they do not give it."""
    try:
        import_module("google.colab.drive").mount(str(COLAB_MOUNT))
    except (ImportError, ValueError, OSError) as error:
        say("Drive was not mounted ({reason}). Work goes on without it.", reason=error)
        return None
    return drive_root()


def _on_drive(root: Path, folder: str) -> DriveFolder:
    inner = Path(folder)
    if inner.is_absolute() or ".." in inner.parts:
        raise ConfigError(
            "The folder must lie on Drive. {folder} leads elsewhere. Give a name, such as eyebright.",
            folder=folder,
        )
    try:
        return DriveFolder(root / inner)
    except DriveGoneError as error:
        raise ConfigError(
            "Drive must be mounted and writable. {path}: {reason}. Mount it again, or work without it: "
            'workspace("").',
            path=root / inner,
            reason=reason_of(error),
        ) from error


def _plain(name: str) -> str:
    """Return a name that is one of a folder.

    Raises:
        ConfigError: it is none.
    """
    if not name or name.startswith(".") or any(sign in name for sign in "/\\:"):
        raise ConfigError(
            "A run's name must be the name of a folder. Got {name}. Use letters, digits and hyphens.",
            name=name,
        )
    return name

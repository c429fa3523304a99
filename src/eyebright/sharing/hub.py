"""A repository of the Hugging Face hub, through its own client: a run is one commit."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from eyebright.backbones.zoo.hub import HubError
from eyebright.errors import ConfigError, MissingExtraError, NotFoundError
from eyebright.runtime.install import install_command
from eyebright.runtime.progress import Task
from eyebright.sharing.place import Content, content_bytes

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_ANSWER_SECONDS = 20.0
_NO_RIGHT, _MISSING, _CHANGED = (401, 403), 404, (409, 412)


class HubPlace:
    """A model repository.

    The token is that of `HF_TOKEN` or of the client's own store; none of ours has it.

    Args:
        repository: OWNER/NAME.
        revision: a branch, tag or commit; None for the main branch.
        private: whether a repository that is made is seen by its owner alone.

    Raises:
        MissingExtraError: the client is not installed.
    """

    own: Collection[str] = (".gitattributes",)

    def __init__(self, repository: str, revision: str | None, *, private: bool) -> None:
        if find_spec("huggingface_hub") is None:
            raise MissingExtraError(
                "hf:// needs the package huggingface_hub, which is not installed. Run: {command}",
                command=install_command("hub"),
            )
        self.address = f"hf://{repository}" + (f"@{revision}" if revision else "")
        self._repository, self._revision, self._private = repository, revision, private
        self._commit: str | None = None

    def names(self) -> set[str]:
        """Return the files of the repository, and keep its commit: all that follows is about that one.

        Raises:
            HubError: the hub does not answer, or not to us.
            NotFoundError: there is no such revision.
        """
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._errors():
            try:
                info = self._api().model_info(
                    self._repository, revision=self._revision, timeout=_ANSWER_SECONDS
                )
            except RepositoryNotFoundError as error:
                if error.response.status_code in _NO_RIGHT:
                    raise
                return set()
        self._commit = info.sha
        return {file.rfilename for file in info.siblings or ()}

    def read(self, name: str) -> bytes:
        """Return a small file of the commit.

        Raises:
            HubError: it cannot be read.
        """
        with TemporaryDirectory() as folder:
            self.fetch(name, Path(folder) / "file")
            return (Path(folder) / "file").read_bytes()

    def fetch(self, name: str, target: Path) -> None:
        """Download a file of the commit.

        Raises:
            HubError: it cannot be read.
        """
        # Not through the hub's cache: it would keep a second copy of every model.
        with TemporaryDirectory(dir=target.parent, prefix=".", suffix=".tmp") as folder, self._errors():
            found = self._api().hf_hub_download(
                self._repository, name, revision=self._commit, local_dir=folder
            )
            shutil.move(found, target)

    def publish(self, files: Mapping[str, Content], gone: Collection[str], message: str, task: Task) -> None:
        """Make the repository if need be, and write all files in one commit on the one that was seen.

        Raises:
            HubError: the hub does not take them, or another commit was made meanwhile.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        with self._errors():
            api = self._api()
            if self._commit is None:
                api.create_repo(self._repository, private=self._private, exist_ok=True)
            additions = [
                CommitOperationAdd(name, content if isinstance(content, bytes) else str(content))
                for name, content in files.items()
            ]
            api.create_commit(
                self._repository,
                [*additions, *(CommitOperationDelete(name) for name in sorted(gone))],
                commit_message=message,
                revision=self._revision,
                parent_commit=self._commit,
            )
        task.advance(sum(content_bytes(content) for content in files.values()))

    def _api(self) -> HfApi:
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        from huggingface_hub import HfApi

        # Read anew: the client reads the address once, while it is imported.
        return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="eyebright")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise one of our errors for whatever the client raises; its bars are not shown meanwhile."""
        from huggingface_hub.utils.tqdm import (
            are_progress_bars_disabled,
            disable_progress_bars,
            enable_progress_bars,
        )

        hidden = are_progress_bars_disabled()
        disable_progress_bars()
        try:
            yield
        except Exception as error:  # of the hub, of its client, or of the network below
            raise self._told(error) from error
        finally:
            if not hidden:
                enable_progress_bars()

    def _told(self, error: Exception) -> HubError | NotFoundError | ConfigError:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in _NO_RIGHT:
            return HubError(
                "The hub must give you the right to this repository. {place}: it refused with status "
                "{status}. Set HF_TOKEN to a token that may read or write it, or log in with `hf auth "
                "login`.",
                place=self.address,
                status=status,
            )
        if status == _MISSING:
            return NotFoundError(
                "The repository, its revision and its files must exist on the hub. {place} was not found. "
                "Check the address; a private one is found only with its HF_TOKEN.",
                place=self.address,
            )
        if status in _CHANGED:
            return HubError(
                "Nobody else may write to a repository while a run is pushed. {place} changed meanwhile, so "
                "nothing was written. Look at what is there now, then push again.",
                place=self.address,
            )
        reason = " ".join(str(error).split()).strip(" .") or type(error).__name__
        return HubError(
            "The hub must be reachable. {place}: {reason}. Check the network and HF_ENDPOINT, then run the "
            "same command again.",
            place=self.address,
            reason=reason[:300],
        )

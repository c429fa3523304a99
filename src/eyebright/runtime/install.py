"""How an extra is installed here: from where this package itself was installed."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_NAME = "eyebright"


def install_command(extra: str) -> str:
    """Return the command that adds an extra to this installation.

    Args:
        extra: of `pyproject.toml`, such as "torch".
    """
    return f"pip install {_requirement(_origin(), extra)}"


def _origin() -> dict[str, object]:
    """Return what pip recorded of the package's origin (PEP 610); empty if it came from an index."""
    try:
        recorded = distribution(_NAME).read_text("direct_url.json")
    except PackageNotFoundError:  # run from its source
        return {"url": Path(__file__).resolve().parents[3].as_uri(), "dir_info": {"editable": True}}
    return {} if recorded is None else dict(json.loads(recorded))


def _requirement(origin: dict[str, object], extra: str) -> str:
    url, named = str(origin.get("url", "")), f"{_NAME}[{extra}]"
    folder, repository = origin.get("dir_info"), origin.get("vcs_info")
    path = Path(url2pathname(urlsplit(url).path))
    if isinstance(folder, dict) and (path / "pyproject.toml").is_file():
        return ("--editable " if folder.get("editable") else "") + f'"{path}[{extra}]"'
    if isinstance(folder, dict) or (url.startswith("file:") and not path.exists()):
        return (
            f'".[{extra}]"'  # the checkout or the file is gone: it must be fetched again, and this said in it
        )
    if isinstance(repository, dict):
        return f'"{named} @ {repository.get("vcs", "git")}+{url}"'
    return f'"{named} @ {url}"' if url else f'"{named}"'

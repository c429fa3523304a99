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
    if isinstance(folder, dict):
        path = Path(url2pathname(urlsplit(url).path))
        # A checkout that is gone must be fetched again; the command is then given in it.
        place = str(path) if (path / "pyproject.toml").is_file() else "."
        return ("--editable " if folder.get("editable") and place != "." else "") + f'"{place}[{extra}]"'
    if isinstance(repository, dict):
        return f'"{named} @ {repository.get("vcs", "git")}+{url}"'
    return f'"{named} @ {url}"' if url else f'"{named}"'

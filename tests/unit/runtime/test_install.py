"""The command that installs an extra is one that works for this installation."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

import pytest

from eyebright.runtime import install
from eyebright.runtime.install import install_command

WHEEL = "https://example.org/eyebright-0.1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        ({}, 'pip install "eyebright[torch]"'),
        ({"url": WHEEL, "archive_info": {}}, f'pip install "eyebright[torch] @ {WHEEL}"'),
        (
            {"url": "https://example.org/e.git", "vcs_info": {"vcs": "git"}},
            'pip install "eyebright[torch] @ git+https://example.org/e.git"',
        ),
        ({"url": "file:///no/such/checkout", "dir_info": {"editable": True}}, 'pip install ".[torch]"'),
        ({"url": "file:///no/such/eyebright.whl", "archive_info": {}}, 'pip install ".[torch]"'),
    ],
)
def test_it_names_where_the_package_came_from(
    origin: dict[str, object], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "_origin", lambda: origin)
    assert install_command("torch") == command


@pytest.mark.parametrize("editable", [True, False])
def test_a_checkout_is_named_by_its_path(
    editable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "my checkout"
    checkout.mkdir()
    (checkout / "pyproject.toml").touch()
    origin = {"url": checkout.as_uri(), "dir_info": {"editable": editable}}
    monkeypatch.setattr(install, "_origin", lambda: origin)
    assert install_command("map") == f'pip install {"--editable " if editable else ""}"{checkout}[map]"'


def test_a_file_that_is_still_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "eyebright-0.1.0-py3-none-any.whl"
    wheel.touch()
    monkeypatch.setattr(install, "_origin", lambda: {"url": wheel.as_uri(), "archive_info": {}})
    assert install_command("map") == f'pip install "eyebright[map] @ {wheel.as_uri()}"'


def test_the_record_of_this_installation_is_read() -> None:
    recorded = distribution("eyebright").read_text("direct_url.json")
    assert install._origin() == (json.loads(recorded) if recorded else {})
    assert install_command("torch").startswith("pip install ")

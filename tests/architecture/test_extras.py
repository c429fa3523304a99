"""What an error tells people to install exists."""

from __future__ import annotations

import ast
import re
import tomllib

from .syntax import PACKAGE, called, files, nodes, where

ROOT = PACKAGE.parents[1]
PROJECT = ROOT / "pyproject.toml"


def test_every_extra_that_a_format_asks_for_exists():
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    calls = [n for p in files() for n in nodes(p) if isinstance(n, ast.Call) and called(n) == "require"]
    asked = {arg.value for call in calls for arg in call.args[1:2] if isinstance(arg, ast.Constant)}
    assert asked
    assert asked - set(extras) == set()


def test_only_one_module_says_how_an_extra_is_installed():
    """Others take `install_command`, which knows whether this installation came from an index or a folder."""
    texts = [
        where(p, n)
        for p in files()
        for n in nodes(p)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and "eyebright[" in n.value
    ]
    assert texts == []


def test_no_page_installs_from_an_index_that_does_not_have_it():
    """Until 0.1.0 is published, pages install from the folder of the source."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.toml")]
    wrong = [p.name for p in pages if re.search(r"install ['\"]?eyebright", p.read_text(encoding="utf-8"))]
    assert wrong == []


def test_every_extra_that_is_installed_by_a_message_exists():
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    calls = [
        n for p in files() for n in nodes(p) if isinstance(n, ast.Call) and called(n) == "install_command"
    ]
    asked = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert asked >= {"torch", "text", "demo"}
    assert asked - set(extras) == set()

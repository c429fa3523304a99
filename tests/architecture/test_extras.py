"""What an error tells people to install exists."""

from __future__ import annotations

import ast
import tomllib

from .syntax import PACKAGE, called, files, nodes

PROJECT = PACKAGE.parents[1] / "pyproject.toml"


def test_every_extra_that_a_format_asks_for_exists():
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    calls = [n for p in files() for n in nodes(p) if isinstance(n, ast.Call) and called(n) == "require"]
    asked = {call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant)}
    assert asked
    assert asked - set(extras) == set()

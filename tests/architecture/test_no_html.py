"""HTML and SVG stand in templates, whose values are escaped; Python computes what they show."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from .syntax import files, nodes, where

TAG = re.compile(r"</|<(?:[a-z][a-z0-9]*)(?: [a-z-]+=|/?>)|<!DOCTYPE", re.ASCII)


def _docstrings(path: Path) -> set[ast.AST]:
    """Return the constants that document a module, a class or a function."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in nodes(path) if isinstance(node, holders) and node.body]
    return {body[0].value for body in bodies if isinstance(body[0], ast.Expr)}


def _written_html(path: Path) -> list[str]:
    docstrings = _docstrings(path)
    return [
        where(path, node)
        for node in nodes(path)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in docstrings
        and TAG.search(node.value)
    ]


def test_no_python_file_writes_html() -> None:
    assert [place for path in files() for place in _written_html(path)] == []

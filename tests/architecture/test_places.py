"""An image may lie in an archive or a bucket: nobody asks `pathlib` for it, but `data/storage/places`."""

from __future__ import annotations

import ast

from .syntax import files, nodes, where

ASKING = {"is_file", "exists", "stat", "open", "read_bytes"}


def test_images_are_looked_for_wherever_they_lie() -> None:
    wrong = [
        f"{where(path, node)} {ast.unparse(node)}"
        for path in files()
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ASKING
        and _is_sample_below_root(node.func.value)
    ]
    assert wrong == []


def _is_sample_below_root(node: ast.expr) -> bool:
    """Return whether an expression is `root / sample.path`."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and isinstance(node.right, ast.Attribute)
        and node.right.attr == "path"
    )


def test_the_check_finds() -> None:
    found = ast.parse("(root / predictions.samples[i].path).is_file()", mode="eval").body
    assert isinstance(found, ast.Call)
    assert isinstance(found.func, ast.Attribute)
    assert _is_sample_below_root(found.func.value)

"""One certified export of each format, for all tests that read it."""

from __future__ import annotations

from pathlib import Path

from eyebright.verbs.export.export import export
from eyebright.verbs.export.options import ExportConfig


class Exports(dict[str, Path]):
    """Folders by format, each made when it is first asked for.

    A test that changes a folder copies it before.
    """

    def __init__(self, run: Path, out: Path) -> None:
        self.run, self.out = run, out

    def __missing__(self, name: str) -> Path:
        plain = name == "onnx-plain"
        options = {"to": ["onnx" if plain else name], "plain": plain, "out": self.out, "max_images": 6}
        (done,) = export(ExportConfig(model=self.run, **options)).done
        self[name] = done.folder
        return self[name]

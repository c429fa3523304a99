"""Build the notebooks of examples/notebooks/ from their sources, in English and Chinese.

A source is a Python script with cells that begin with `# %%`. A cell tagged `en` or `zh` is of that language;
a cell tagged `include:NAME` stands for the cells of NAME.py. `--check` writes nothing, and fails where a
notebook differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

FOLDER = Path(__file__).parents[1] / "examples" / "notebooks"
SOURCES = FOLDER / "source"
LANGUAGES = ("en", "zh")
_INCLUDE = "include:"
# A line of IPython within a block, where jupytext would not know it.
_MAGIC = "pass  # %"
_METADATA = {
    "colab": {"provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def sources() -> list[Path]:
    """Return the sources of notebooks; those that are included begin with an underscore."""
    return sorted(path for path in SOURCES.glob("*.py") if not path.name.startswith("_"))


def target(source: Path, lang: str) -> Path:
    """Return the path of a notebook."""
    return FOLDER / (f"{source.stem}.ipynb" if lang == "en" else f"{source.stem}.{lang}.ipynb")


def build(source: Path, lang: str) -> str:
    """Return the text of a notebook."""
    cells = [_finished(cell, number) for number, cell in enumerate(_of_language(_cells(source), lang))]
    notebook = new_notebook(cells=cells, metadata=_METADATA)
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)) + "\n"


def main() -> int:
    """Write all notebooks, or with `--check` say which would change."""
    built = {target(source, lang): build(source, lang) for source in sources() for lang in LANGUAGES}
    stale = [path for path, text in built.items() if not path.is_file() or path.read_text("utf-8") != text]
    stale += [path for path in FOLDER.glob("*.ipynb") if path not in built]
    if "--check" in sys.argv:
        for path in stale:
            print(
                f"{path} is not as its source says. Run: python scripts/build_notebooks.py", file=sys.stderr
            )
        return 1 if stale else 0
    for path in stale:
        if path in built:
            path.write_text(built[path], "utf-8")
        else:
            path.unlink()
    return 0


def _cells(source: Path) -> Iterator[NotebookNode]:
    for cell in jupytext.read(source).cells:
        included = [tag for tag in _tags(cell) if tag.startswith(_INCLUDE)]
        if included:
            yield from _cells(SOURCES / f"{included[0].removeprefix(_INCLUDE)}.py")
        else:
            yield cell


def _of_language(cells: Iterator[NotebookNode], lang: str) -> Iterator[NotebookNode]:
    others = set(LANGUAGES) - {lang}
    return (cell for cell in cells if not others & set(_tags(cell)))


def _finished(cell: NotebookNode, number: int) -> NotebookNode:
    """Return a cell with a name that stays, and without the tag of its language."""
    kept = [tag for tag in _tags(cell) if tag not in LANGUAGES]
    cell.metadata = {"tags": kept} if kept else {}
    cell.id = f"cell-{number}"
    cell.source = cell.source.replace(_MAGIC, "%")
    return cell


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


if __name__ == "__main__":
    sys.exit(main())

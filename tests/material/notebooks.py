"""Notebooks, run as in Colab: its package is a stand-in, its Drive a folder, and everything is small."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
from command_line import environment
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from notebook_stub import STUB

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))

#: Values of form cells with which a notebook is small enough for a test, by its number.
SMALL: dict[str, dict[str, Any]] = {
    "01": {"IMAGES_PER_CLASS": 16, "SIZE": "96", "LAYERS": "texture"},
    "02": {"IMAGES_PER_CLASS": 12, "SIZE": 64, "EPOCHS": 1, "STEPS_PER_EPOCH": 2, "BATCH": 4, "AUDIT": False},
    "03": {"IMAGES_PER_CLASS": 40, "SIZE": "96", "AUDIT": False},
    "04": {"IMAGES_PER_CLASS": 32, "SIZE": "96", "LAYERS": "texture"},
    "05": {"CLASSES": 20, "IMAGES_PER_CLASS": 4, "SIZE": "96", "LAYERS": "texture"},
    "06": {"IMAGES_PER_CLASS": 24, "SIZE": "96", "LAYERS": "texture"},
    "07": {"IMAGES_PER_CLASS": 16, "SIZE": "96", "LAYERS": "texture", "EPOCHS": 1, "PRETRAIN_SIZE": "64"},
    "08": {"IMAGES_PER_CLASS": 16, "SIZE": "96", "LAYERS": "texture"},
}


def read(name: str) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(FOLDER / name, as_version=4)
    return notebook


def run(name: str, place: Path, cache: Path, **values: object) -> NotebookNode:
    """Run all cells of a notebook in ``place``, with Drive in ``place``/drive and small values in forms."""
    notebook = read(name)
    (place / "drive").mkdir(exist_ok=True)
    small = {**SMALL[name[:2]], **values}
    changes = "\n".join(f"{name} = {value!r}" for name, value in small.items())
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if "parameters" in cell.metadata.get("tags", []):
            cells.append(new_code_cell(changes))
    notebook.cells = cells
    stub = os.pathsep.join([str(STUB), *filter(None, [environment()["PYTHONPATH"]])])
    variables = environment(
        PYTHONPATH=stub,
        COLAB_RELEASE_TAG="release-colab-stub",
        COLAB_STUB_CALLS=place / "calls.jsonl",
        EYEBRIGHT_DRIVE=place / "drive",
        EYEBRIGHT_CACHE=cache,
        IPYTHONDIR=place / "ipython",
        HF_HUB_OFFLINE="1",
    )
    client = NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": place}}
    )
    client.execute(env=variables)
    return notebook


def calls(place: Path) -> list[list[str]]:
    """What the stand-in for Colab's package was asked for."""
    lines = (place / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def printed(notebook: NotebookNode) -> str:
    """All that the cells show as text."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(texts)

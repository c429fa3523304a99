"""The typed keywords of the Python API: equal to the options, known to type checkers, shown by `help()`."""

from __future__ import annotations

import ast
import inspect
import runpy
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import eyebright as eb
from eyebright.api import keywords
from eyebright.api.signature import keyword_fields
from eyebright.cli.verbs import NAMES, load_verb

PROJECT = Path(__file__).parents[3]
VERBS = [name for name in NAMES if name != "cache"]  # which is for a person at a terminal
#: The function of a verb whose name is that of a package.
FUNCTIONS = {"data": "convert", "zero-shot": "zero_shot", "runs": "list_runs"}
FURTHER = ["EyebrightClassifier", "spark_predictor", "OwnBackbone", "load", "showing", "__version__"]


def test_every_verb_is_a_function() -> None:
    offered = vars(eb)["__all__"]
    assert sorted([*(FUNCTIONS.get(name, name) for name in VERBS), *FURTHER]) == sorted(offered)
    assert set(offered) <= set(dir(eb))
    assert all(getattr(eb, name) is not None for name in offered)
    # A package of the same name would take the function's place as soon as it is imported.
    assert not [name for name in offered if (PROJECT / "src" / "eyebright" / name).is_dir()]


def test_the_keywords_are_the_options() -> None:
    """If this fails, run `python scripts/build_keywords.py` and `ruff format`."""
    written = runpy.run_path(str(PROJECT / "scripts" / "build_keywords.py"))["text"]()
    stored = Path(keywords.__file__).read_text(encoding="utf-8")
    assert ast.dump(ast.parse(stored)) == ast.dump(ast.parse(written))


@pytest.mark.parametrize("name", VERBS)
def test_help_names_every_option(name: str) -> None:
    function = getattr(eb, FUNCTIONS.get(name, name))
    config = load_verb(name).config()
    parameters = inspect.signature(function).parameters
    own = {p.name for p in parameters.values()} - set(
        get_type_hints(getattr(keywords, config.__name__.removesuffix("Config") + "Options"))
    )
    options = keyword_fields(config, own)
    assert list(parameters)[-len(options) :] == list(options)
    for option, field in options.items():
        assert parameters[option].default == field.default
        assert field.is_required() is False
        assert f"    {option}: {field.description.rstrip('.')}" in function.__doc__


@pytest.mark.slow  # mypy reads the whole package, with a cache of its own
def test_a_type_checker_knows_the_keywords(tmp_path: Path) -> None:
    code = tmp_path / "snippet.py"
    code.write_text(
        "import eyebright as eb\n"
        'run = eb.train("photos", val=0.25, size=224, budget="10m", progress=False)\n'
        "accuracy = run.metrics\n"
        'eb.train("photos", sise=224)\n'
        'eb.train("photos", size="small")\n'
        'eb.export(run.model, ["onnx"], int8=True).passed.nothing\n'
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(code)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=PROJECT)
    errors = [line.split(":")[1] for line in done.stdout.splitlines() if "error:" in line]
    assert errors == ["4", "5", "6"], done.stdout + done.stderr

"""What the source must not contain: code from data, hidden failures, packages installed behind one's back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from . import syntax
from .syntax import called, files, imported, nodes, where

UNPICKLING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "pandas"}


def _problems(path: Path) -> list[str]:
    found = [
        f"{where(path, node)} imports {name}"
        for name, node in imported(path)
        if name.split(".")[0] in UNPICKLING
    ]
    for node in nodes(path):
        if isinstance(node, ast.Call):
            found += [f"{where(path, node)} {text}" for text in _call_problems(node)]
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"{where(path, node)} bare except")
        elif isinstance(node, ast.Assert):
            found.append(f"{where(path, node)} assert: raise an error that says what to do")
    return found


def _call_problems(node: ast.Call) -> list[str]:
    found = []
    if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec", "compile", "__import__"}:
        found.append(f"calls {node.func.id}")
    if ast.unparse(node.func) in {"os.system", "os.popen", "subprocess.getoutput"}:
        found.append("runs a shell")
    for keyword in node.keywords:
        if keyword.arg in {"shell", "allow_pickle"} and ast.unparse(keyword.value) != "False":
            found.append(f"{keyword.arg} is not False")
    if called(node) in {"run", "Popen", "call", "check_call", "check_output"}:
        words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
        found += ["runs an installer"] * bool(words & {"pip", "pip3", "uv", "conda"})
    return found


def test_nothing_forbidden():
    assert [problem for path in files() for problem in _problems(path)] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
        "subprocess.run([sys.executable, '-m', 'pip', 'install', name])",
        "os.system(text)",
        "try:\n    pass\nexcept:\n    pass",
        "assert images, 'no images'",
    ],
)
def test_the_check_finds(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(syntax, "SOURCE", tmp_path)
    path = tmp_path / "example.py"
    path.write_text(code)
    assert _problems(path) != []

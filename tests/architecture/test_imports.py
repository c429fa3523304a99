"""Imports go one way, and the base install never meets torch."""

from __future__ import annotations

import ast
import subprocess
import sys

from .syntax import PACKAGE, files, imported, module_name, nodes, where

# A module may import from its own package and from the layers that stand before it here, from no other.
# Imports for types alone and inside functions count too: what is needed belongs to the lower layer.
LAYERS = [
    {"errors", "task", "text", "types", "runtime", "version"},
    {"cluster", "onnx_graph"},
    {"options"},
    {"onnx_torch"},
    {"data", "backbones"},
    {"engines"},
    {"training"},
    {"evaluation"},
    {"auditing"},
    {"few_labels"},
    {"sealed"},
    {"compression"},
    {"exporting"},
    {"explaining"},
    {"report", "tracking"},
    {"runs"},
    {"monitoring", "sharing"},
    {"serving"},
    {"labelling"},
    {"verbs"},
    {"api"},
    {"colab"},
    {"cli"},
]
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}
# Within verbs/, likewise; verbs of one line do not know each other.
VERBS = [
    {"verb"},
    {"predict", "evaluate"},
    {"export", "explain", "pretrain", "zero_shot"},
    {"train"},
    {
        "audit",
        "benchmark",
        "cache",
        "data",
        "compare",
        "demo",
        "distill",
        "doctor",
        "embed",
        "inspect",
        "models",
        "monitor",
        "prune",
        "pull",
        "push",
        "runs",
        "serve",
        "shrink",
        "suggest",
        "tune",
        "update",
    },
    {"studio"},
]
VERB_LEVEL = {verb: level for level, verbs in enumerate(VERBS) for verb in verbs}
ENTRANCES = {"eyebright", "eyebright.__main__"}
FOUNDATION = LAYERS[0]
FILES_IN_A_FOLDER = 20

TORCH = {"torch", "torchvision", "timm", "transformers", "torchao", "lightning", "peft", "accelerate"}
TORCH |= {"safetensors", "huggingface_hub", "torch_pruning", "captum"}
TORCH_MODULES = (
    "eyebright.training.finetune",
    "eyebright.training.pretrain",
    "eyebright.runtime.torchrun",
    "eyebright.verbs.pretrain.network",
    "eyebright.compression.int8.qat",
    "eyebright.compression.pruned",
    "eyebright.compression.pruning",
    "eyebright.explaining.gradcam",
    "eyebright.exporting.formats",
    "eyebright.backbones.torch",
    "eyebright.backbones.towers",
    "eyebright.engines.pytorch",
    "eyebright.backbones.zoo",
    "eyebright.sharing.hub",
    "eyebright.onnx_torch",
)


def _package(module: str) -> str:
    return module.split(".")[1]


def _verb(module: str) -> str:
    return module.split(".")[2]


def _may_import(importer: str, target: str) -> bool:
    own, other = _package(importer), _package(target)
    if own == other == "verbs":
        return _verb(importer) == _verb(target) or VERB_LEVEL[_verb(target)] < VERB_LEVEL[_verb(importer)]
    return own == other or LEVEL[other] < LEVEL[own] or (own in FOUNDATION and other in FOUNDATION)


def test_every_package_has_its_layer():
    there = {
        p.stem if p.is_file() else p.name
        for p in PACKAGE.iterdir()
        if p.suffix == ".py" or list(p.glob("*.py"))
    }
    assert there - {"__init__", "__main__"} == set(LEVEL)
    assert {p.stem for p in (PACKAGE / "verbs").iterdir()} - {"__init__", "__pycache__"} == set(VERB_LEVEL)


def test_imports_go_one_way():
    wrong = [
        f"{where(path, node)} imports {name}"
        for path in files()
        if module_name(path) not in ENTRANCES
        for name, node in imported(path)
        if name.startswith("eyebright.") and not _may_import(module_name(path), name)
    ]
    assert wrong == []


def test_data_and_backbones_do_not_know_each_other():
    assert not _may_import("eyebright.data.views", "eyebright.backbones.card")
    assert not _may_import("eyebright.backbones.card", "eyebright.data.views")


def test_no_modules_import_each_other():
    assert cycles({name: targets for name, targets in _graph().items() if name not in ENTRANCES}) == []


def test_a_cycle_is_found():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]


def _graph() -> dict[str, set[str]]:
    """Return which modules each module imports, for types alone and inside functions too."""
    modules = {module_name(path) for path in files()}

    def module_of(name: str) -> str:
        return name if name in modules else name.rpartition(".")[0]

    return {
        module_name(path): {module_of(name) for name, _ in imported(path)} & modules - {module_name(path)}
        for path in files()
    }


def cycles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules of which each leads to every other."""
    reached = {name: _reached(graph, name) for name in graph}
    groups = [{name, *(other for other in reached[name] if name in reached[other])} for name in graph]
    return [group for number, group in enumerate(groups) if len(group) > 1 and group not in groups[:number]]


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = (graph[waiting.pop()] & graph.keys()) - found
        found |= new
        waiting += new
    return found


def test_no_folder_shows_more_than_a_screen():
    full = {
        str(folder.relative_to(PACKAGE)): count
        for folder in PACKAGE.rglob("*")
        if (count := len(list(folder.glob("*.py")))) > FILES_IN_A_FOLDER + 1  # __init__.py
    }
    assert full == {}


def test_no_two_classes_share_a_name():
    places: dict[str, list[str]] = {}
    for path in files():
        for node in nodes(path):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(where(path, node))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_base_has_no_torch():
    wrong = [
        f"{where(path, node)} imports {name}"
        for path in files()
        if not module_name(path).startswith(TORCH_MODULES)
        for name, node in imported(path)
        if name.split(".")[0] in TORCH
    ]
    assert wrong == []


def _modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


HEAVY = {"numpy", "scipy", "PIL", "onnx", "onnxruntime", "openvino", "pyarrow", "pydantic", "rich", *TORCH}


def test_importing_the_package_imports_nothing_heavy():
    assert _modules_after("import eyebright") & HEAVY == set()


def test_the_list_of_verbs_imports_nothing_heavy():
    assert (
        _modules_after("import eyebright.cli.verbs, eyebright.cli.main, eyebright.cli.help") & HEAVY == set()
    )

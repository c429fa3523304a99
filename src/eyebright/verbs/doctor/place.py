"""Where `doctor` finds itself, and what would be fastest there."""

from __future__ import annotations

from importlib.util import find_spec

from eyebright.runtime import machine
from eyebright.runtime.install import install_command
from eyebright.text.language import translate
from eyebright.verbs.doctor.fact import Fact
from eyebright.verbs.doctor.surroundings import drive_root, surroundings

# With so few, a hosted notebook has another kind of machine that is several times as fast.
_FEW_CORES = 2


def place() -> list[Fact]:
    """Return where this runs, with the evidence, and whether Google Drive is there."""
    found = surroundings()
    names = {
        "colab": "Google Colab",
        "kaggle": "Kaggle",
        "laptop": translate("a laptop"),
        "server": translate("a server or container"),
        "computer": translate("a computer"),
    }
    text = names[found.kind]
    if found.evidence:
        text = translate("{place}, as {evidence} says", place=text, evidence=found.evidence)
    value = {"kind": found.kind, "evidence": found.evidence}
    facts = [Fact("place", translate("Place"), text, value)]
    drive = drive_root()
    if drive is not None:
        facts.append(Fact("drive", "Google Drive", str(drive), str(drive)))
    elif found.kind == "colab":
        absent = translate("not mounted; eyebright.colab.workspace() mounts it")
        facts.append(Fact("drive", "Google Drive", absent, None, "note"))
    return facts


def advice() -> list[Fact]:
    """Return which engine would be fastest here, and what it takes."""
    title, cores = translate("Fastest here"), machine.usable_cores()
    if machine.gpus():
        if find_spec("torch") is not None:
            text = translate("the GPU, by PyTorch; Eyebright tries it against the processor on your images")
            return [Fact("fastest", title, text, "gpu")]
        text = translate("the GPU, once PyTorch is installed")
        return [Fact("fastest", title, text, "gpu", "missing", install_command("torch"))]
    engine = "OpenVINO" if find_spec("openvino") is not None else "ONNX Runtime"
    if machine.has_tpu():
        text = translate(
            "the {count:core|cores} beside the TPU, by {engine}; frozen features do not use the TPU itself",
            count=cores,
            engine=engine,
        )
    elif surroundings().kind in ("colab", "kaggle") and cores <= _FEW_CORES:
        text = translate(
            "the {count:core|cores} here, by {engine}; a notebook with a GPU, or a TPU for its many cores, "
            "is faster",
            count=cores,
            engine=engine,
        )
    else:
        text = translate("the {count:core|cores}, by {engine}", count=cores, engine=engine)
    return [Fact("fastest", title, text, "cpu")]

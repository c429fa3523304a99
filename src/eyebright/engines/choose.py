"""Engine selection: the fastest engine of this machine whose output agrees, timed on the user's images."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from eyebright.engines.base import Engine, installed
from eyebright.engines.gpus import gpu_makers
from eyebright.engines.onnx_runtime import OnnxRuntimeEngine
from eyebright.engines.openvino import OpenVinoEngine, has_bfloat16
from eyebright.errors import ConfigError, MissingExtraError, nearest
from eyebright.runtime.context import say
from eyebright.runtime.install import install_command
from eyebright.runtime.machine import processor_name, usable_cores
from eyebright.runtime.onnx_session import runtime_reason
from eyebright.runtime.remembered import remember, remembered
from eyebright.types import FloatArray, UInt8Array

# An engine of lower precision is used when its error, as a share of each feature's own spread over the
# images, is below this for the median feature: far below what one image differs from the next.
AGREEMENT = 0.02
_RACE_SECONDS = 0.1
# A feature of an error below this was computed in float32. Engines that do nothing else have larger errors
# only in a few features, which hardly vary.
_TOUCHED, _FEW = 1e-3, 0.1
_MIXED = "openvino mixed"


@dataclass(frozen=True)
class Trial:
    """One engine's measured speed; ``error`` is its :func:`disagreement`."""

    name: str
    images_per_second: float
    error: float


def makers() -> dict[str, Callable[[bytes], Engine]]:
    """Return the engines that this machine can run, by name."""
    found = _float32_makers()
    if installed("openvino") and has_bfloat16():
        found["openvino bfloat16"] = lambda graph: OpenVinoEngine(graph, "bfloat16")
        found[_MIXED] = lambda graph: OpenVinoEngine(graph, "mixed")
    return found | gpu_makers()


def _float32_makers() -> dict[str, Callable[[bytes], Engine]]:
    """Return the engines that any processor runs; none of their packages is loaded to find that out."""
    found: dict[str, Callable[[bytes], Engine]] = {"onnxruntime float32": OnnxRuntimeEngine}
    if installed("openvino"):
        found["openvino float32"] = lambda graph: OpenVinoEngine(graph, "float32")
    return found


def is_available(name: str) -> bool:
    """Return whether this machine can run the named engine."""
    return name in _float32_makers() or name in makers()  # the latter loads OpenVINO: 0.2 s


def make(name: str, graph: bytes) -> Engine:
    """Return the named engine on ``graph``.

    Raises:
        MissingExtraError: the engine's package is not installed.
        ConfigError: there is no engine of that name.
    """
    known = _float32_makers()
    known = known if name in known else makers()
    if name in known:
        return known[name](graph)
    if name.startswith("openvino") and not installed("openvino"):
        raise MissingExtraError(
            "The engine {name} needs the package openvino. It is not installed. Run: {command}",
            name=name,
            command=install_command("openvino"),
        )
    raise ConfigError(
        "The engine must be available on this machine. Got {name}. Choose one of: {nearest}.",
        name=name,
        nearest=nearest(name, known),
    )


def make_alike(name: str, graph: bytes) -> Engine:
    """Return the named engine, or one of the same precision where this machine lacks it.

    Raises:
        MissingExtraError, ConfigError: there is none.
    """
    if is_available(name):
        return make(name, graph)
    alike = [other for other in makers() if other.split()[-1] == name.split()[-1]]
    return make(alike[0] if alike else name, graph)


@dataclass(frozen=True)
class Selected:
    """The engines that were compared, the selected one first, and that one on the graph.

    ``engine`` is None where the comparison was remembered, so that none was started.
    """

    trials: list[Trial]
    engine: Engine | None


def race(graph: bytes, images: Sequence[UInt8Array], *, mixed: bool = False) -> Selected:
    """Run every engine on the same images (N, each (S, S, 3)), all cores at work.

    Args:
        graph: whose output is compared.
        images: to run it on.
        mixed: whether mixed precision takes part. What it saves must be worth what proves its answers.

    Returns:
        The trials, the fastest that agrees first; ONNX Runtime in float32 is the reference. An engine that
        fails is said, and is not among them.
    """
    trials: list[Trial] = []
    reference: FloatArray | None = None
    fastest: Engine | None = None
    entrants = {name: maker for name, maker in makers().items() if mixed or name != _MIXED}
    for name, maker in entrants.items():
        try:
            engine = maker(graph)
            features, rate = _time(engine, images)
        except Exception as error:  # a driver's or a GPU library's; the processor goes on without it
            if reference is None:
                raise
            say("The engine {name} cannot be used here: {reason}.", name=name, reason=runtime_reason(error))
            continue
        reference = features if reference is None else reference
        trials.append(Trial(name, rate, disagreement(features, reference)))
        if min(trials, key=_rank) is trials[-1]:
            fastest = engine
    return Selected(sorted(trials, key=_rank), fastest)


def _rank(trial: Trial) -> tuple[bool, float]:
    return trial.error > AGREEMENT, -trial.images_per_second


def cached_trials(folder: Path, graph: bytes, images: Sequence[UInt8Array]) -> list[Trial]:
    """Return the trials of :func:`select`, whose arguments these are."""
    return select(folder, graph, images).trials


def select(folder: Path, graph: bytes, images: Sequence[UInt8Array], *, mixed: bool = False) -> Selected:
    """Return the engine selection, cached in ``folder`` by images, graph, processor and versions.

    Args:
        folder: where results are kept.
        graph: as for :func:`race`.
        images: as for :func:`race`; on others an engine may agree or not.
        mixed: as for :func:`race`.
    """
    versions = [f"{p} {version(p)}" for p in ("onnxruntime", "openvino") if installed(p)] + list(gpu_makers())
    content = hashlib.blake2b(graph)
    for image in images:
        content.update(image.tobytes())
    facts = [processor_name(), str(usable_cores()), *versions, *([_MIXED] * mixed), content.hexdigest()]
    path = (
        folder
        / "engines"
        / (hashlib.blake2b("\n".join(facts).encode(), digest_size=16).hexdigest() + ".json")
    )
    known: Any = remembered(path)
    if known is not None:
        return Selected([Trial(**row) for row in known], None)
    selected = race(graph, images, mixed=mixed)
    remember(path, [asdict(trial) for trial in selected.trials])
    return selected


def disagreement(features: FloatArray, reference: FloatArray) -> float:
    """Return the median feature's root mean square error, as a share of its standard deviation.

    Features that were computed in float32 do not count where more than a few were not: as half of them, they
    would hide any error of the others.
    """
    error = np.sqrt(((features - reference) ** 2).mean(axis=0))
    spread = reference.std(axis=0)
    moving = spread > 1e-6 * (1 + np.abs(reference).max(axis=0))
    if not moving.any():
        return 0.0
    shares = error[moving] / spread[moving]
    touched = shares[shares > _TOUCHED]
    return float(np.median(touched if len(touched) > _FEW * len(shares) else shares))


def _time(engine: Engine, images: Sequence[UInt8Array]) -> tuple[FloatArray, float]:
    enough = [*images] * -(-engine.callers // len(images))  # to keep every caller at work
    with ThreadPoolExecutor(engine.callers) as pool:
        features = np.stack(list(pool.map(engine.run, images)))
        start, done = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - start) < _RACE_SECONDS:
            done += sum(1 for _ in pool.map(engine.run, enough))
    return features, done / elapsed

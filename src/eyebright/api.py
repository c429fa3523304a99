"""The Python API: the same stage functions that the command line calls, with options as keywords."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from eyebright.runs.run import Run
from eyebright.runtime.context import showing
from eyebright.runtime.progress import SILENT, Progress
from eyebright.sealed.model import SealedModel
from eyebright.types import Prediction, Skipped
from eyebright.verbs.benchmark import benchmark as benchmark_stage
from eyebright.verbs.benchmark.benchmark import Benchmark
from eyebright.verbs.benchmark.options import BenchmarkConfig
from eyebright.verbs.compare import compare as compare_stage
from eyebright.verbs.compare.compare import Comparison
from eyebright.verbs.compare.options import CompareConfig
from eyebright.verbs.demo import demo as demo_stage
from eyebright.verbs.demo.options import DemoConfig
from eyebright.verbs.distill import distill as distill_stage
from eyebright.verbs.distill.options import DistillConfig
from eyebright.verbs.doctor.doctor import doctor
from eyebright.verbs.evaluate import evaluate as evaluate_stage
from eyebright.verbs.evaluate.options import EvaluateConfig
from eyebright.verbs.explain import explain as explain_stage
from eyebright.verbs.explain.explain import Explanations
from eyebright.verbs.explain.options import ExplainConfig
from eyebright.verbs.export import export as export_stage
from eyebright.verbs.export.export import Exports
from eyebright.verbs.export.options import ExportConfig
from eyebright.verbs.inspect import inspect as inspect_stage
from eyebright.verbs.inspect.inspect import Inspection
from eyebright.verbs.inspect.options import InspectConfig
from eyebright.verbs.models import models as models_stage
from eyebright.verbs.models.models import ModelInfo
from eyebright.verbs.models.options import ModelsConfig
from eyebright.verbs.predict import predict as predict_stage
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.prune import prune as prune_stage
from eyebright.verbs.prune.options import PruneConfig
from eyebright.verbs.shrink import shrink as shrink_stage
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.shrink import Shrunk
from eyebright.verbs.train import train as train_stage
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.tune import tune as tune_stage
from eyebright.verbs.tune.options import TuneConfig

__all__ = [
    "benchmark",
    "compare",
    "demo",
    "distill",
    "doctor",
    "evaluate",
    "explain",
    "export",
    "inspect",
    "load",
    "models",
    "predict",
    "prune",
    "shrink",
    "train",
    "tune",
]


def train(data: str | PathLike[str] | None = None, *, progress: Progress = SILENT, **options: Any) -> Run:
    """Trains, seals, evaluates and proves a model.

    Args:
        data: folder of class folders, or with train/, val/ and optionally test/; None where a run is resumed.
        progress: is told what is done.
        **options: the fields of :class:`~eyebright.verbs.train.options.TrainConfig`.

    Returns:
        The run, with its `metrics`, `model` and `report`.

    Raises:
        EyebrightError: the data, an option or the disk does not allow it.
    """
    with showing(progress):
        return train_stage.train(TrainConfig.build(data=_path(data), **options))


def tune(data: str | PathLike[str] | None = None, *, progress: Progress = SILENT, **options: Any) -> Run:
    """Searches the settings of fine-tuning, then trains with the best; options as in `TuneConfig`."""
    with showing(progress):
        return tune_stage.tune(TuneConfig.build(data=_path(data), **options))


def evaluate(
    model: str | PathLike[str], data: str | PathLike[str], *, progress: Progress = SILENT, **options: Any
) -> Run:
    """Measures a sealed model on labelled images; options as in `EvaluateConfig`."""
    config = EvaluateConfig.build(model=Path(model), data=Path(data), **options)
    with showing(progress):
        return evaluate_stage.evaluate(config)


def export(
    model: str | PathLike[str], to: list[str], *, progress: Progress = SILENT, **options: Any
) -> Exports:
    """Writes a sealed model in other formats and certifies each; options as in `ExportConfig`."""
    with showing(progress):
        return export_stage.export(ExportConfig.build(model=Path(model), to=to, **options))


def benchmark(*models: str | PathLike[str], progress: Progress = SILENT, **options: Any) -> Benchmark:
    """How fast runs, sealed models and exports answer on this machine; options as in `BenchmarkConfig`."""
    config = BenchmarkConfig.build(models=[Path(model) for model in models], **options)
    with showing(progress):
        return benchmark_stage.benchmark(config)


def inspect(path: str | PathLike[str]) -> Inspection:
    """What a model file or an export is, where it comes from, and whether it was changed."""
    return inspect_stage.inspect(InspectConfig(path=Path(path)))


def compare(
    runs: Sequence[str | PathLike[str]], *, progress: Progress = SILENT, **options: Any
) -> Comparison:
    """Compares runs on the images that all of them judged; options as in `CompareConfig`."""
    config = CompareConfig.build(runs=[Path(run) for run in runs], **options)
    with showing(progress):
        return compare_stage.compare(config)


def predict(
    model: str | PathLike[str], images: list[str], *, progress: Progress = SILENT, **options: Any
) -> Iterator[Prediction | Skipped]:
    """A sealed model's answers for files, folders and patterns; options as in `PredictConfig`."""
    with showing(progress):
        return predict_stage.predict(PredictConfig.build(model=Path(model), images=images, **options))


def explain(
    model: str | PathLike[str], images: list[str], *, progress: Progress = SILENT, **options: Any
) -> Explanations:
    """Heat maps of files, folders and patterns: where answers come from; options as in `ExplainConfig`."""
    with showing(progress):
        return explain_stage.explain(ExplainConfig.build(model=Path(model), images=images, **options))


def distill(model: str | PathLike[str], *, student: str, progress: Progress = SILENT, **options: Any) -> Run:
    """Lets a sealed model teach the network ``student``; options as in `DistillConfig`."""
    config = DistillConfig.build(model=Path(model), student=student, **options)
    with showing(progress):
        return distill_stage.distill(config)


def prune(model: str | PathLike[str], *, progress: Progress = SILENT, **options: Any) -> Run:
    """Removes channels of a sealed model and trains it again; options as in `PruneConfig`."""
    with showing(progress):
        return prune_stage.prune(PruneConfig.build(model=Path(model), **options))


def shrink(
    model: str | PathLike[str], target: list[str], *, progress: Progress = SILENT, **options: Any
) -> Shrunk:
    """Searches the most accurate model that keeps to ``target``, such as `["size<=5MB"]`; `ShrinkConfig`."""
    config = ShrinkConfig.build(model=Path(model), target=target, **options)
    with showing(progress):
        return shrink_stage.shrink(config)


def demo(*, progress: Progress = SILENT, **options: Any) -> Run:
    """Trains on real textile images; options as in `DemoConfig`."""
    with showing(progress):
        return demo_stage.demo(DemoConfig.build(**options))


def models(search: str | None = None, *, progress: Progress = SILENT, **options: Any) -> list[ModelInfo]:
    """The backbone of this installation, or those whose name holds ``search``; as in `ModelsConfig`."""
    config = ModelsConfig.build(search=search, **options)
    with showing(progress):
        return list(models_stage.models(config).models)


def load(model: str | PathLike[str]) -> SealedModel:
    """Opens a sealed model, whose `predict` takes a path, bytes, a Pillow image or an array.

    Raises:
        NotFoundError: there is no such file.
        ModelError: the file is not a sealed model.
    """
    return SealedModel(Path(model))


def _path(given: str | PathLike[str] | None) -> Path | None:
    return None if given is None else Path(given)

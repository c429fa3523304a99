"""The Python API: the same stages that the command line runs, with their options as keywords."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Unpack

from eyebright.api import keywords
from eyebright.api.keywords import StrPath
from eyebright.api.signature import with_options
from eyebright.data.table.frames import frame_file
from eyebright.errors import ConfigError
from eyebright.options.base import Config
from eyebright.runs.run import Run
from eyebright.runtime.context import Shown, showing
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import TABLES, default_folder
from eyebright.types import ImageLike, Prediction, Skipped
from eyebright.verbs.audit.audit import Audit
from eyebright.verbs.audit.audit import audit as audit_stage
from eyebright.verbs.audit.options import AuditConfig
from eyebright.verbs.benchmark.benchmark import Benchmark
from eyebright.verbs.benchmark.benchmark import benchmark as benchmark_stage
from eyebright.verbs.benchmark.options import BenchmarkConfig
from eyebright.verbs.compare.compare import Comparison
from eyebright.verbs.compare.compare import compare as compare_stage
from eyebright.verbs.compare.options import CompareConfig
from eyebright.verbs.data.data import Converted
from eyebright.verbs.data.data import data as data_stage
from eyebright.verbs.data.options import DataConfig
from eyebright.verbs.demo.demo import demo as demo_stage
from eyebright.verbs.demo.options import DemoConfig
from eyebright.verbs.distill.distill import distill as distill_stage
from eyebright.verbs.distill.options import DistillConfig
from eyebright.verbs.doctor.doctor import doctor as doctor_stage
from eyebright.verbs.doctor.fact import Fact
from eyebright.verbs.doctor.options import DoctorConfig
from eyebright.verbs.embed.embed import embed as embed_stage
from eyebright.verbs.embed.options import EmbedConfig
from eyebright.verbs.embed.result import Embeddings
from eyebright.verbs.evaluate.evaluate import evaluate as evaluate_stage
from eyebright.verbs.evaluate.options import EvaluateConfig
from eyebright.verbs.explain.explain import Explanations
from eyebright.verbs.explain.explain import explain as explain_stage
from eyebright.verbs.explain.options import ExplainConfig
from eyebright.verbs.export.export import export as export_stage
from eyebright.verbs.export.options import ExportConfig
from eyebright.verbs.export.result import Exports
from eyebright.verbs.inspect.inspect import inspect as inspect_stage
from eyebright.verbs.inspect.options import InspectConfig
from eyebright.verbs.inspect.result import Inspection
from eyebright.verbs.models.models import ModelInfo
from eyebright.verbs.models.models import models as models_stage
from eyebright.verbs.models.options import ModelsConfig
from eyebright.verbs.monitor.monitor import Monitoring
from eyebright.verbs.monitor.monitor import monitor as monitor_stage
from eyebright.verbs.monitor.options import MonitorConfig
from eyebright.verbs.predict.in_spark import SparkPredictor
from eyebright.verbs.predict.options import PredictConfig
from eyebright.verbs.predict.predict import predict as predict_stage
from eyebright.verbs.pretrain.options import PretrainConfig
from eyebright.verbs.pretrain.pretrain import pretrain as pretrain_stage
from eyebright.verbs.pretrain.result import PretrainedBackbone
from eyebright.verbs.prune.options import PruneConfig
from eyebright.verbs.prune.prune import prune as prune_stage
from eyebright.verbs.pull.options import PullConfig
from eyebright.verbs.pull.pull import pull as pull_stage
from eyebright.verbs.push.options import PushConfig
from eyebright.verbs.push.push import Pushed
from eyebright.verbs.push.push import push as push_stage
from eyebright.verbs.runs.options import RunsConfig
from eyebright.verbs.runs.runs import RunList
from eyebright.verbs.runs.runs import runs as runs_stage
from eyebright.verbs.serve.options import ServeConfig
from eyebright.verbs.serve.serve import Served
from eyebright.verbs.serve.serve import serve as serve_stage
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.result import Shrunk
from eyebright.verbs.shrink.shrink import shrink as shrink_stage
from eyebright.verbs.studio.options import StudioConfig
from eyebright.verbs.studio.studio import StudioEnd
from eyebright.verbs.studio.studio import studio as studio_stage
from eyebright.verbs.suggest.options import SuggestConfig
from eyebright.verbs.suggest.suggest import Suggested
from eyebright.verbs.suggest.suggest import suggest as suggest_stage
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.own_code import OwnBackbone as OwnBackbone
from eyebright.verbs.train.own_code import own_code_of
from eyebright.verbs.train.train import train as train_stage
from eyebright.verbs.tune.options import TuneConfig
from eyebright.verbs.tune.tune import tune as tune_stage
from eyebright.verbs.update.options import UpdateConfig
from eyebright.verbs.update.update import update as update_stage
from eyebright.verbs.zero_shot.options import ZeroShotConfig
from eyebright.verbs.zero_shot.zero_shot import ZeroShot
from eyebright.verbs.zero_shot.zero_shot import zero_shot as zero_shot_stage

if TYPE_CHECKING:
    from eyebright.backbones.torch.own import TorchModule
    from eyebright.training.finetune.history import EpochRow
    from eyebright.training.finetune.own_code import ImageTransform, OptimizerFactory
    from eyebright.training.finetune.step import Loss

#: A path; or a table in memory, such as a DataFrame, of which no package is needed for this type.
DataLike: TypeAlias = "StrPath | Sequence[tuple[StrPath, str | Sequence[str]]] | Any"

OptionsT = TypeVar("OptionsT", bound=Config)
ResultT = TypeVar("ResultT")


@with_options(AuditConfig)
def audit(data: DataLike, *, progress: Shown = None, **options: Unpack[keywords.AuditOptions]) -> Audit:
    """Find copies, leaks, wrong labels, shifts, shortcuts and faulty images in a folder of labelled images.

    Args:
        data: as for :func:`train`.
        progress: as for :func:`train`.
        **options: the options of `eyebright audit`.

    Returns:
        The findings, with the `report` and the proposed `fixes`.
    """
    return _run(audit_stage, AuditConfig, progress, data=_path_of(data, options.get("path")), **options)


@with_options(DataConfig)
def convert(
    data: DataLike, to: str, *, progress: Shown = None, **options: Unpack[keywords.DataOptions]
) -> Converted:
    """Convert labelled images to another format: class folders, CSV, Parquet, COCO and others.

    Args:
        data: as for :func:`train`.
        to: `folder`, `csv`, `parquet`, `hf`, `coco` or `webdataset`.
        progress: as for :func:`train`.
        **options: the options of `eyebright data convert`.

    Returns:
        Where the new data lies, and what was left out.
    """
    found = _path_of(data, options.get("path"))
    return _run(data_stage, DataConfig, progress, action="convert", data=found, to=to, **options)


@with_options(TrainConfig)
def train(
    data: DataLike | None = None,
    *,
    backbone: str | TorchModule | OwnBackbone | None = None,
    loss: Literal["cross_entropy", "focal"] | Loss | None = None,
    optimizer: Literal["adamw", "adam", "sgd"] | OptimizerFactory | None = None,
    transform: ImageTransform | None = None,
    inference_transform: TorchModule | None = None,
    on_epoch: Callable[[EpochRow], bool | None] | None = None,
    progress: Shown = None,
    **options: Unpack[keywords.TrainOptions],
) -> Run:
    """Train a model on a folder of labelled images, evaluate it, and seal it into one file.

    Args:
        data: a path, as for `eyebright train`; a DataFrame of pandas or polars, or a list of (path, label),
            with paths relative to the current folder; or None where a run is resumed.
        backbone: a name, as for `eyebright train`; or a torch.nn.Module of your own, which stays as it is, or
            an :class:`OwnBackbone` that says what it was trained on.
        loss: a name; or a function of logits and soft targets, both (b, K), to the loss of each image (b,),
            such as a loss of torch.nn with ``reduction="none"``.
        optimizer: a name; or a function of groups of parameters to a torch.optim.Optimizer.
        transform: of training images: a function of a Pillow image or a uint8 tensor (3, S, S) to an
            image. It takes the place of the built-in augmentation unless ``augment`` is given.
        inference_transform: a torch.nn.Module of pixels (B, 3, S, S) from 0 to 1 to the same shape, before
            the backbone; it is sealed with the model.
        on_epoch: is called with the figures of each epoch of fine-tuning, from epoch 0, the network before
            its first step; True ends the training with the best weights so far.
        progress: None shows it in a terminal or notebook, False nowhere; any :class:`Progress` replaces it.
        **options: the options of `eyebright train`, listed under Options by `help(eb.train)`.

    Returns:
        The run, with its `metrics`, `model` and `report`.

    Raises:
        EyebrightError: the data, an option or the disk does not allow it.
    """
    own, words = own_code_of(
        backbone=backbone,
        loss=loss,
        optimizer=optimizer,
        transform=transform,
        inference_transform=inference_transform,
    )
    stage = partial(train_stage, on_epoch=on_epoch, own=own)
    return _run(stage, TrainConfig, progress, data=_path_of(data, options.get("path")), **words, **options)


@with_options(SuggestConfig)
def suggest(
    run: StrPath, folder: StrPath, *, progress: Shown = None, **options: Unpack[keywords.SuggestOptions]
) -> Suggested:
    """Choose which unlabelled images to label next.

    Args:
        run: of a training.
        folder: of the images without labels, an archive or a table.
        progress: as for :func:`train`.
        **options: the options of `eyebright suggest`.

    Returns:
        The `images` to label, each with path, score and reason, and what they are `expected` to bring.
    """
    return _run(suggest_stage, SuggestConfig, progress, run=run, folder=folder, **options)


@with_options(PretrainConfig)
def pretrain(
    data: StrPath | None = None, *, progress: Shown = None, **options: Unpack[keywords.PretrainOptions]
) -> PretrainedBackbone:
    """Adapt a backbone to images without labels, for `train(..., backbone=...)`.

    Args:
        data: images in a folder, an archive or a table; None where a pretraining is resumed.
        progress: as for :func:`train`.
        **options: the options of `eyebright pretrain`.

    Returns:
        Where the backbone lies, and its signs of health by epoch.
    """
    return _run(pretrain_stage, PretrainConfig, progress, data=data, **options)


@with_options(TuneConfig)
def tune(
    data: DataLike | None = None, *, progress: Shown = None, **options: Unpack[keywords.TuneOptions]
) -> Run:
    """Search the settings of fine-tuning with Optuna, then train with the best."""
    found = _path_of(data, options.get("path"))
    return _run(tune_stage, TuneConfig, progress, data=found, **options)


@with_options(UpdateConfig)
def update(
    run: StrPath,
    data: StrPath | None = None,
    *,
    progress: Shown = None,
    **options: Unpack[keywords.UpdateOptions],
) -> Run:
    """Update a run with new images, new classes or corrected labels, in seconds.

    Args:
        run: of a training; it stays as it is.
        data: the new images: a folder of class folders, or with labels.csv; None where only classes change.
        progress: as for :func:`train`.
        **options: the options of `eyebright update`.

    Returns:
        The new run; `update` in its `metrics` says what changed.
    """
    return _run(update_stage, UpdateConfig, progress, run=run, data=data, **options)


@with_options(EvaluateConfig)
def evaluate(
    model: StrPath,
    data: DataLike | None = None,
    *,
    progress: Shown = None,
    **options: Unpack[keywords.EvaluateOptions],
) -> Run:
    """Evaluate a model on labelled images, without ``data`` on those that its training held out."""
    found = _path_of(data, options.get("path"))
    return _run(evaluate_stage, EvaluateConfig, progress, model=model, data=found, **options)


@with_options(CompareConfig)
def compare(
    runs: Sequence[StrPath], *, progress: Shown = None, **options: Unpack[keywords.CompareOptions]
) -> Comparison:
    """Compare two or more runs on the images that all of them evaluated."""
    return _run(compare_stage, CompareConfig, progress, runs=runs, **options)


@with_options(PredictConfig)
def predict(
    model: StrPath,
    images: ImageLike | Iterable[ImageLike],
    *,
    progress: Shown = None,
    **options: Unpack[keywords.PredictOptions],
) -> Iterator[Prediction | Skipped]:
    """Return an iterator over a model's predictions for images.

    Args:
        model: a sealed model, or its run.
        images: one or several: files, folders and patterns; encoded bytes or files opened in binary mode;
            Pillow images; uint8 arrays of RGB pixels (H, W, 3), or batches of them (N, H, W, 3).
        progress: None shows it in a terminal or notebook, False nowhere; any :class:`Progress` replaces it.
        **options: the options of `eyebright predict`.

    Raises:
        EyebrightError: the model or a path does not exist, or an option or image is of a wrong kind.
    """
    return _run(predict_stage, PredictConfig, progress, model=model, images=images, **options)


@with_options(EmbedConfig)
def embed(
    images: ImageLike | Iterable[ImageLike],
    *,
    backbone: str | TorchModule | OwnBackbone | None = None,
    progress: Shown = None,
    **options: Unpack[keywords.EmbedOptions],
) -> Embeddings:
    """Compute the features of images, by a sealed model or a backbone, and find those that are most alike.

    Args:
        images: as for :func:`predict`.
        backbone: as for :func:`train`.
        progress: as for :func:`train`.
        **options: the options of `eyebright embed`.

    Returns:
        The `features` (N, D) and `paths`; `nearest` compares them with one another or with others.
    """
    own, words = own_code_of(backbone=backbone)
    stage = partial(embed_stage, own=own)
    return _run(stage, EmbedConfig, progress, images=images, **words, **options)


def spark_predictor(model: StrPath, *, features: bool = False) -> SparkPredictor:
    """Return what predicts in Spark: ``frame.mapInArrow(predictor, predictor.schema)``.

    Args:
        model: a sealed model, or its run, which Spark's workers see under the same path.
        features: whether each row also gets the features of the image.
    """
    return SparkPredictor(str(Path(model).absolute()), features)


@with_options(ZeroShotConfig)
def zero_shot(
    images: ImageLike | Iterable[ImageLike],
    classes: str | Sequence[str],
    *,
    progress: Shown = None,
    **options: Unpack[keywords.ZeroShotOptions],
) -> ZeroShot:
    """Recognise classes by their names alone, with an image tower and a text tower (CLIP, OpenCLIP, SigLIP).

    Args:
        images: as for :func:`predict`.
        classes: names of the classes: a list, or one text with commas.
        progress: as for :func:`train`.
        **options: the options of `eyebright zero-shot`.

    Returns:
        The predictions, and the parity of the sealed model, which lies in ``out`` where that was given.
    """
    return _run(zero_shot_stage, ZeroShotConfig, progress, images=images, classes=classes, **options)


@with_options(MonitorConfig)
def monitor(
    log: StrPath,
    reference: StrPath,
    *,
    progress: Shown = None,
    **options: Unpack[keywords.MonitorOptions],
) -> Monitoring:
    """Compare the log of a model at work with the validation images of its run."""
    return _run(monitor_stage, MonitorConfig, progress, log=log, reference=reference, **options)


@with_options(ExplainConfig)
def explain(
    model: StrPath,
    images: StrPath | Sequence[StrPath],
    *,
    progress: Shown = None,
    **options: Unpack[keywords.ExplainOptions],
) -> Explanations:
    """Draw heat maps: which parts of each image the prediction is based on."""
    return _run(explain_stage, ExplainConfig, progress, model=model, images=images, **options)


@with_options(ServeConfig)
def serve(
    models: StrPath | Sequence[StrPath],
    *,
    progress: Shown = None,
    **options: Unpack[keywords.ServeOptions],
) -> Served:
    """Serve models over HTTP until the process is told to end; see `docs/serving.md`.

    Args:
        models: sealed models or their runs, also as "NAME=PATH".
        progress: None shows it in a terminal or notebook, False nowhere; any :class:`Progress` replaces it.
        **options: the options of `eyebright serve`.
    """
    return _run(serve_stage, ServeConfig, progress, models=models, **options)


@with_options(StudioConfig)
def studio(
    folder: StrPath = ".", *, progress: Shown = None, **options: Unpack[keywords.StudioOptions]
) -> StudioEnd:
    """Show the page on which images are labelled and models trained, until the process is told to end."""
    return _run(studio_stage, StudioConfig, progress, folder=folder, **options)


@with_options(ExportConfig)
def export(
    model: StrPath, to: Sequence[str], *, progress: Shown = None, **options: Unpack[keywords.ExportOptions]
) -> Exports:
    """Export a model to other formats and compare each with the original."""
    return _run(export_stage, ExportConfig, progress, model=model, to=to, **options)


@with_options(DistillConfig)
def distill(model: StrPath, *, progress: Shown = None, **options: Unpack[keywords.DistillOptions]) -> Run:
    """Distil a model into a smaller one."""
    return _run(distill_stage, DistillConfig, progress, model=model, **options)


@with_options(PruneConfig)
def prune(model: StrPath, *, progress: Shown = None, **options: Unpack[keywords.PruneOptions]) -> Run:
    """Remove the least important channels of a model and retrain it with the original as teacher."""
    return _run(prune_stage, PruneConfig, progress, model=model, **options)


@with_options(ShrinkConfig)
def shrink(
    model: StrPath,
    target: Sequence[str],
    *,
    progress: Shown = None,
    **options: Unpack[keywords.ShrinkOptions],
) -> Shrunk:
    """Find the most accurate model that meets each ``target``, such as `["size<=5MB", "latency<=10ms"]`."""
    return _run(shrink_stage, ShrinkConfig, progress, model=model, target=target, **options)


@with_options(InspectConfig)
def inspect(path: StrPath, **options: Unpack[keywords.InspectOptions]) -> Inspection:
    """Return what a model file or export is, where it comes from, and whether it was changed."""
    return _run(inspect_stage, InspectConfig, False, path=path, **options)


@with_options(BenchmarkConfig)
def benchmark(
    *models: StrPath, progress: Shown = None, **options: Unpack[keywords.BenchmarkOptions]
) -> Benchmark:
    """Measure the speed of runs, sealed models and exports on this machine."""
    return _run(benchmark_stage, BenchmarkConfig, progress, models=list(models), **options)


@with_options(RunsConfig)
def list_runs(
    folder: StrPath = "runs", *, progress: Shown = None, **options: Unpack[keywords.RunsOptions]
) -> RunList:
    """List the finished runs below a folder, with ``where=["accuracy > 0.9"]`` and ``sort="accuracy"``."""
    return _run(runs_stage, RunsConfig, progress, folder=folder, **options)


@with_options(PushConfig)
def push(
    run: StrPath, destination: str, *, progress: Shown = None, **options: Unpack[keywords.PushOptions]
) -> Pushed:
    """Share a run: on the Hugging Face hub, in a bucket, or in a folder.

    Args:
        run: of a training.
        destination: `hf://OWNER/NAME`, `s3://BUCKET/FOLDER` or a folder.
        progress: as for :func:`train`.
        **options: the options of `eyebright push`.

    Returns:
        What was shared, and where.
    """
    return _run(push_stage, PushConfig, progress, run=run, destination=str(destination), **options)


@with_options(PullConfig)
def pull(
    source: str, directory: StrPath, *, progress: Shown = None, **options: Unpack[keywords.PullOptions]
) -> Run:
    """Get a run that was shared with :func:`push`; every file is checked."""
    return _run(pull_stage, PullConfig, progress, source=str(source), directory=directory, **options)


@with_options(ModelsConfig)
def models(
    search: str | None = None, *, progress: Shown = None, **options: Unpack[keywords.ModelsOptions]
) -> list[ModelInfo]:
    """Return the embedded backbone, or those of all libraries whose name contains ``search``."""
    return list(_run(models_stage, ModelsConfig, progress, search=search, **options).models)


@with_options(DoctorConfig)
def doctor(**options: Unpack[keywords.DoctorOptions]) -> list[Fact]:
    """Return facts on this machine: processor, memory, GPU, inference engines, and missing extras."""
    return _run(doctor_stage, DoctorConfig, False, **options)


@with_options(DemoConfig)
def demo(*, progress: Shown = None, **options: Unpack[keywords.DemoOptions]) -> Run:
    """Train on real photos of textile defects (requires the demo extra)."""
    return _run(demo_stage, DemoConfig, progress, **options)


def load(model: StrPath) -> SealedModel:
    """Open a sealed model, whose `predict` takes a path, encoded bytes, a file, a Pillow image or an array.

    Raises:
        NotFoundError: there is no such file.
        ModelError: the file is not a sealed model.
        ConfigError: ``model`` is not a path.
    """
    if not isinstance(model, str | PathLike):
        raise ConfigError(
            "The model must be a path: a run directory, or its model.onnx. Got {kind}. Give the path.",
            kind=type(model).__name__,
        )
    return SealedModel(Path(model))


def _path_of(data: DataLike | None, path_column: str | None) -> StrPath | None:
    """Return a path of the data: what lies in memory is written into the cache first."""
    if data is None or isinstance(data, str | PathLike):
        return data
    return frame_file(data, default_folder() / TABLES, path_column)


def _run(
    stage: Callable[[OptionsT], ResultT], config: type[OptionsT], progress: Shown, /, **values: Any
) -> ResultT:
    """Build the options from ``values``, and run ``stage`` with them where its progress is shown."""
    options = config.build(**values)
    with showing(progress):
        return stage(options)

"""`train`: a folder of images becomes a sealed, evaluated model."""

from __future__ import annotations

from dataclasses import asdict

from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.config.train import TrainConfig
from eyebright.data.folder import scan
from eyebright.evaluation.calibration import fit_temperature
from eyebright.language import translate
from eyebright.runtime.atomic import write_text
from eyebright.runtime.progress import SILENT, Progress
from eyebright.runtime.timing import Stopwatch
from eyebright.sealed.graph import sealed_graph
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.stages import tell
from eyebright.stages.judge import ask
from eyebright.stages.outcome import Outcome
from eyebright.stages.proof import prove
from eyebright.stages.run import Run, new_directory, write_metrics
from eyebright.training.cache import default_folder
from eyebright.training.frozen import FrozenTrainer
from eyebright.types import Split


def train(config: TrainConfig, progress: Progress = SILENT) -> Run:
    """Trains, seals, evaluates and proves a model.

    Args:
        config: what to train on and how.
        progress: is told what is found and done.

    Returns:
        The run directory with `model.onnx`, `metrics.json`, `predictions.csv`, `report.html`,
        `manifest.parquet` and `config.toml`.

    Raises:
        EyebrightError: the data, an option or the disk does not allow it.
    """
    watch = Stopwatch()
    # ---- data
    with watch.stage("scan"):
        manifest = scan(
            config.data,
            val=config.val,
            test=config.test,
            seed=config.seed,
            progress=progress,
            lang=config.lang,
        )
    tell.found(manifest, progress, config.lang)
    directory = new_directory(config.out, "runs", config.data.resolve().name)
    # ---- training, on the training part alone
    backbone = EmbeddedBackbone()
    trainer = FrozenTrainer(
        manifest,
        backbone,
        default_folder(),
        views=config.views,
        layers=config.layers,
        seed=config.seed,
        lang=config.lang,
        progress=progress,
        watch=watch,
    )
    model = trainer.train(None if config.size == "auto" else config.size)
    temperature = fit_temperature(model.fit.held_out, model.truth)
    tell.left_out(model.skipped, progress, config.lang)
    # ---- sealing
    path = directory / "model.onnx"
    (directory / "metrics.json").unlink(missing_ok=True)  # of an earlier run, whose files are replaced now
    preprocessing = model.extractor.preprocessing
    with watch.stage("seal"):
        graph = sealed_graph(
            backbone.model(preprocessing.size),
            preprocessing,
            model.extractor.taps,
            model.fit.head,
            temperature,
        )
        provenance = tell.provenance(model, manifest, temperature)
        write_sealed(path, graph, manifest.labels, provenance)
    # ---- evaluation and proof, by the sealed model itself
    with watch.stage("evaluate"):
        samples = (*manifest.of("val"), *manifest.of("test"))
        with progress.task(translate("Asking the sealed model", config.lang), total=len(samples)) as task:
            answers = ask(SealedModel(path, threads=1), manifest.root, samples, task)
    with watch.stage("proof"):
        parity = prove(model, temperature, path, answers, manifest.root, config.seed)
    # ---- what is left behind
    split: Split = "test" if manifest.of("test") else "val"
    outcome = Outcome(manifest.without([*model.skipped, *answers.skipped]), answers, split, config.seed)
    ece_before = outcome.ece_before(temperature)
    with watch.stage("report"):
        outcome.write(
            directory,
            content={
                "title": (config.out or config.data).resolve().name,
                "engine": model.trials[0].name,
                "backbone": backbone.card.name,
                "size": preprocessing.size,
                "layers": model.layers,
                "command": tell.command("train", config, ("data",)),
                "ece_before": ece_before,
                "temperature": temperature,
                "choices": tell.choices(model, config.lang),
                "parity": parity,
                "seconds": watch.seconds,
                "facts": tell.facts(config, provenance, path),
            },
            lang=config.lang,
        )
    write_sealed(path, graph, manifest.labels, {**provenance, "metrics": outcome.headline()})
    outcome.manifest.write(directory / "manifest.parquet")
    write_text(directory / "config.toml", config.toml())
    figures = outcome.figures(
        watch.seconds,
        model.trials[0].name,
        ece_before=ece_before,
        temperature=temperature,
        parity=asdict(parity),
        chosen={"size": preprocessing.size, "layers": model.layers, "l2": model.fit.l2},
        tried=tell.tried(model),
        **provenance,
    )
    # metrics.json comes last: where it exists, the run is complete.
    write_metrics(directory / "metrics.json", figures)
    return Run(directory, path)

"""How every training ends: the model is sealed, asked, proved and reported."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from eyebright.config.train import TrainConfig
from eyebright.data.manifest import Manifest
from eyebright.evaluation.forecast import grown
from eyebright.exporting.files import sha256
from eyebright.language import translate
from eyebright.runtime.progress import Progress
from eyebright.runtime.timing import Stopwatch
from eyebright.sealed.looks import Looks
from eyebright.sealed.model import SealedModel, write_sealed
from eyebright.stages import tell
from eyebright.stages.decide import at_thresholds, decide_trained, say_unmet
from eyebright.stages.inside import inside
from eyebright.stages.judge import ask
from eyebright.stages.know import know_trained
from eyebright.stages.outcome import Outcome
from eyebright.stages.parent import beside_parent
from eyebright.stages.proof import prove
from eyebright.stages.run import Run, write_metrics, write_options
from eyebright.stages.slices import find_slices
from eyebright.stages.trained import Trained
from eyebright.stages.unknown import seal
from eyebright.training.cache import default_folder
from eyebright.types import Split


def finish(
    config: TrainConfig,
    manifest: Manifest,
    trained: Trained,
    directory: Path,
    progress: Progress,
    watch: Stopwatch,
) -> Run:
    """Seals, evaluates, proves and reports a trained classifier.

    Args:
        config: the options of the run.
        manifest: all samples.
        trained: the classifier.
        directory: where everything is written, `metrics.json` last.
        progress: is told what is done.
        watch: times the stages.

    Raises:
        ModelError: the sealed model does not answer as the training pipeline does.
    """
    tell.left_out(trained.skipped, progress, config.lang)
    path = directory / "model.onnx"
    (directory / "metrics.json").unlink(missing_ok=True)  # of an earlier run, whose files are replaced now
    size, temperature = trained.preprocessing.size, trained.temperature
    with watch.stage("seal"):
        provenance = tell.provenance(trained, manifest)
        if trained.parent is not None:
            provenance["parent_sha256"] = sha256(SealedModel(trained.parent).path)
        sealed = seal(trained, manifest, path, provenance, config.false_rejection, config.seed)
    # ---- evaluation and proof, by the sealed model itself
    with watch.stage("evaluate"):
        samples = (*manifest.of("val"), *manifest.of("test"))
        with progress.task(translate("Asking the sealed model", config.lang), total=len(samples)) as task:
            model = SealedModel(path, threads=1)
            looks = Looks(default_folder(), size)
            answers = ask(model, manifest.root, samples, task, default_folder(), looks.see)
    with watch.stage("proof"):
        parity = prove(trained.reference, model, answers, manifest.root, config.seed)
    parent = None
    if trained.parent is not None:
        with watch.stage("compare"):
            parent = beside_parent(trained.parent, path, answers, manifest, progress, config.lang)
    # ---- what is left behind
    split: Split = "test" if manifest.of("test") else "val"
    answers.require_images(split)
    decided = decide_trained(config, trained.held_out, answers, split, config.seed)
    say_unmet(decided, progress, config.lang)
    answers = at_thresholds(answers, decided)
    if answers.thresholds is not None:
        provenance["thresholds"] = answers.thresholds.tolist()
    knowing = know_trained(config, trained.held_out, sealed.scored, answers, split)
    outcome = Outcome(manifest.without([*trained.skipped, *answers.skipped]), answers, split, config.seed)
    ece_before = outcome.ece_before(temperature)
    with watch.stage("slices"):
        slices = find_slices(answers, split, manifest.root, looks)
    with watch.stage("inside"):
        seen = inside(model, manifest.root, answers, split, config.seed)
    curve = grown(trained.curve, config.seed)
    with watch.stage("report"):
        outcome.write(
            directory,
            content={
                "title": tell.title(config),
                "engine": trained.engine,
                "backbone": trained.backbone.card.name,
                "size": size,
                "layers": trained.layers,
                "command": tell.command("train", config, ("data",) if config.data else ()),
                "ece_before": ece_before,
                "temperature": temperature,
                "choices": trained.choices,
                "tunings": trained.tunings,
                "reasons": trained.reasons,
                "learning": trained.learning,
                "tunable": config.tune == "head",
                "licence": provenance["licence"],
                "random_weights": trained.random_weights,
                "parity": parity,
                "decided": decided.curves,
                "cost": decided.cost,
                "slices": slices,
                "curve": curve,
                "knowing": knowing,
                "parent": parent,
                **seen,
                "seconds": watch.seconds,
                "facts": tell.facts(config, provenance, path),
            },
            lang=config.lang,
        )
    facts = {**provenance, **decided.metadata(), **knowing.metadata(), "metrics": outcome.headline()}
    write_sealed(path, sealed.graph, manifest.labels, facts)
    outcome.manifest.write(directory / "manifest.parquet")
    if config.tune == "head":  # else they stand there since the beginning, with what was chosen on the way
        write_options(config, directory)
    figures = outcome.figures(
        watch.seconds,
        trained.engine,
        ece_before=ece_before,
        temperature=temperature,
        parity=asdict(parity),
        chosen=dict(trained.chosen),
        tried=dict(trained.tried),
        model_sha256=sha256(path),
        **decided.figures(),
        slices=[found.to_json() for found in slices],
        **({} if curve is None else {"data_curve": curve.to_json()}),
        **knowing.figures(),
        **({} if parent is None else {"parent": asdict(parent)}),
        **provenance,
    )
    # metrics.json comes last: where it exists, the run is complete.
    write_metrics(directory / "metrics.json", figures)
    return Run(directory, path)

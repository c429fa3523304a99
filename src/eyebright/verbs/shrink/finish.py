"""The end of a search for a smaller model: the chosen file is evaluated and reported like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx

from eyebright.data.manifest import Manifest
from eyebright.data.manifest_file import write_manifest
from eyebright.evaluation.uncertainty.results import Knowing
from eyebright.exporting.certificate.hashes import sha256
from eyebright.runs import messages as tell
from eyebright.runs.run import Run, write_metrics
from eyebright.runs.scoring import Answers, ask
from eyebright.runs.write import Outcome, versions
from eyebright.runtime.atomic import write_bytes
from eyebright.runtime.context import progress_task, timed, watch
from eyebright.sealed.model import SealedModel, set_metadata
from eyebright.sealed.parity import Parity
from eyebright.text.language import translate
from eyebright.types import Split
from eyebright.verbs.evaluate.baseline import beside_parent
from eyebright.verbs.evaluate.uncertainty import know_evaluated, know_trained
from eyebright.verbs.shrink.candidate import Candidate
from eyebright.verbs.shrink.linear_probe_candidates import Sealed
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.targets import Target
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.parity_check import prove

_ENGINE = "onnxruntime float32"


@dataclass(frozen=True)
class HandedOut:
    """What is handed out.

    Attributes:
        candidate: the chosen one.
        made: the classifier behind it, where that was trained here.
        options: that it was, or would have been, trained with.
        targets: that were asked for.
        reasons: sentences for the report.
    """

    candidate: Candidate
    made: Sealed | None
    options: TrainConfig
    targets: Sequence[Target]
    reasons: Sequence[str]


def hand_out(
    config: ShrinkConfig, what: HandedOut, parent: SealedModel, manifest: Manifest, directory: Path
) -> Run:
    """Copies the chosen file, and writes what a run has.

    Args:
        config: the options.
        what: the chosen one.
        parent: the model that a smaller one was sought for.
        manifest: its images.
        directory: of the run.

    Raises:
        ModelError: the file does not answer as the classifier that it was made from.
    """
    path = directory / "model.onnx"
    if what.candidate.path.resolve() != path.resolve():
        write_bytes(path, what.candidate.path.read_bytes())
    model = SealedModel(path, threads=1)
    with timed("evaluate"):
        samples = (*manifest.of("val"), *manifest.of("test"))
        with progress_task("Running the sealed model", total=len(samples)) as task:
            answers = ask(model, manifest.root, samples, task)
        beside = beside_parent(parent.path, path, answers, manifest)
    parity = _proved(what, model, answers, manifest, config.seed)
    split: Split = "test" if manifest.of("test") else "val"
    answers.require_images(split)
    knowing = _knowing(what, model, answers, split)
    outcome = Outcome(manifest.without(answers.skipped), answers, split, config.seed)
    card = model.card
    outcome.write(
        directory,
        content={
            "title": (config.out or config.model).resolve().name,
            "engine": _ENGINE,
            "backbone": card["backbone"],
            "size": model.size,
            "layers": str(card.get("layers", "")),
            "command": tell.command("shrink", config, ("model",)),
            "parent": beside,
            "parity": parity,
            "knowing": knowing,
            "seconds": watch().seconds,
            "facts": {
                translate("Selection"): " ".join(what.reasons),
                **_facts(config, model.metadata, path),
            },
        },
    )
    graph = onnx.load(path)
    set_metadata(graph, {**model.metadata, **knowing.metadata(), "metrics": outcome.headline()})
    write_bytes(path, graph.SerializeToString())
    write_manifest(outcome.manifest, directory / "manifest.parquet")
    figures = outcome.figures(
        watch().seconds,
        _ENGINE,
        parent=asdict(beside),
        chosen=asdict(what.candidate) | {"path": what.candidate.path.name, "judged_on": "val"},
        targets=[asdict(target) for target in what.targets],
        met=what.candidate.meets(what.targets),
        card=card,
        data_sha=manifest.digest,
        versions=versions(),
        model_sha256=sha256(path),
        **knowing.figures(),
        **({} if parity is None else {"parity": asdict(parity)}),
    )
    write_metrics(directory / "metrics.json", figures)
    return Run(directory, path)


def _proved(
    what: HandedOut, model: SealedModel, answers: Answers, manifest: Manifest, seed: int
) -> Parity | None:
    """The file beside its classifier; None of one that was not trained here, and of int8, which is judged."""
    if what.made is None or what.candidate.precision == "int8":
        return None
    return prove(what.made.trained.reference, model, answers, manifest.root, seed)


def _knowing(what: HandedOut, model: SealedModel, answers: Answers, split: Split) -> Knowing:
    """What the model does not know: by rules of its own, or by new ones where it was trained here."""
    if what.made is None:
        return know_evaluated(model, answers, split)
    held_out = what.made.trained.held_out
    return know_trained(what.options, held_out, what.made.scored, answers, split)


def _facts(config: ShrinkConfig, metadata: Mapping[str, str], path: Path) -> dict[str, str]:
    return {
        translate("Model file"): f"{path.stat().st_size / 1e6:.1f} MB",
        translate("Licence of the weights"): metadata.get("licence", "unknown"),
        translate("Random seed"): str(config.seed),
        **versions(),
    }

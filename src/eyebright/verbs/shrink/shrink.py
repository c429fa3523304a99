"""`shrink`: the most accurate model that meets a latency target, a size target, or both on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from eyebright.data.manifest import Manifest, Sample
from eyebright.errors import DataError
from eyebright.exporting.precision import precision_of
from eyebright.runs import messages
from eyebright.runs.baseline import latencies
from eyebright.runs.images import (
    check_classes,
    check_not_learned,
    columns_for,
    drawn,
    manifest_of,
    require_classifier,
)
from eyebright.runs.integrity import require_other_directory, require_unmodified
from eyebright.runs.overwrite import remove_earlier
from eyebright.runs.run import new_directory, write_options
from eyebright.runs.scoring import predict_samples
from eyebright.runs.text_models import require_images_only
from eyebright.runs.uncertainty import promised
from eyebright.runtime.context import progress, progress_task, say, stage, timed
from eyebright.runtime.progress import SILENT
from eyebright.sealed.model import SealedModel
from eyebright.text.language import translate
from eyebright.verbs.shrink.candidate import ShrinkCandidate, choose, figures, first_good
from eyebright.verbs.shrink.finish import ShrinkSelection, finish
from eyebright.verbs.shrink.int8_candidates import quantised
from eyebright.verbs.shrink.linear_probe_candidates import SealedProbe, linear_probe_candidates
from eyebright.verbs.shrink.messages import verdict, write_pareto_files
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.result import Shrunk
from eyebright.verbs.shrink.targets import parse_target
from eyebright.verbs.train.options import TrainConfig, require_single_label
from eyebright.verbs.train.train import frozen_backbone

_CANDIDATES = "candidates"
_LOSS = 0.005  # of accuracy, by int8, beyond which the next quantisation candidate is tried


@stage
def shrink(config: ShrinkConfig) -> Shrunk:
    """Search input sizes, layers, backbones and precisions for the best model that meets the targets.

    Args:
        config: which model, which targets.

    Raises:
        NotFoundError, ModelError: a model is missing, is not a sealed one, or was modified after its run.
        DataError: the images are missing, or a model has other classes.
        ConfigError: there is no such backbone.
    """
    search = Search(config)
    with timed("search"):
        candidates = search.candidates()
    targets = [parse_target(text) for text in config.target]
    selected = choose(candidates, targets)
    directory = search.directory
    found = figures(candidates, targets, selected)
    with timed("report"):
        sentences = [verdict(selected, targets)]
        if not search.manifest.of("test"):
            sentences.append(
                translate(
                    "There is no test split, so the metrics come from the validation images used to "
                    "select the model and are slightly optimistic."
                )
            )
        write_pareto_files(directory, config, found, targets, sentences)
        probe = search.probes.get(selected.name)
        selection = ShrinkSelection(selected, probe, search.options, targets, sentences)
        run = finish(config, selection, search.model.path, search.manifest, directory)
    for sentence in sentences:
        progress().say(sentence)
    messages.say_decisions_dropped(search.model, run.model)
    return Shrunk(run, candidates, selected, targets, directory / "pareto.html")


class Search:
    """Make and measure one candidate after the other.

    Args:
        config: what is compared.

    Attributes:
        model: the original, that a smaller one is sought for.
        manifest: its images.
        directory: of the run.
        options: of linear probes, which promise what the model promises.
        probes: those behind candidates that were trained here, by the candidates' names.
    """

    def __init__(self, config: ShrinkConfig) -> None:
        self.config, self.progress = config, progress
        self._began = time.monotonic()
        self.model = SealedModel(config.model, threads=1)
        require_images_only(self.model, "`eyebright shrink`")
        require_classifier(self.model, "eyebright shrink")
        require_single_label(self.model.task, "shrink")
        require_unmodified(self.model.path)
        self._check_out()
        self.manifest: Manifest = manifest_of(
            self.model, config.data, config.seed, columns=columns_for(config, self.model)
        )
        check_classes(self.model, self.manifest.labels)
        self._given = [(path, SealedModel(path, threads=1)) for path in config.candidates]
        for _, other in self._given:
            require_unmodified(other.path)
            check_classes(other, self.manifest.labels)
            check_not_learned(other, self.manifest)
        self._images: list[Sample] = drawn(self.manifest, config.max_images, config.seed)
        self.options = TrainConfig(
            data=self.manifest.root, seed=config.seed, lang=config.lang, **promised(self.model).model_dump()
        )
        self._backbones = [
            frozen_backbone(self.options.model_copy(update={"backbone": name})) for name in config.backbone
        ]
        self.probes: dict[str, SealedProbe] = {}
        name = self.model.path.resolve().parent.name
        self.directory = new_directory(config.out, "runs", name, overwrite=config.overwrite)
        remove_earlier(self.directory)
        write_options(config, self.directory)

    def _check_out(self) -> None:
        out = self.config.out
        for path in (self.model.path, *self.config.candidates):
            for written in (out, out and out / _CANDIDATES):
                require_other_directory(written, path)

    def candidates(self) -> list[ShrinkCandidate]:
        """Return all candidates with their metrics; latencies are measured in turn, at the end of a round."""
        floats = self._timed([self._measured(name, path) for name, path in self._floats()])
        if not self.config.int8:
            return floats
        # What was compressed already cannot be quantised once more.
        kept = [c for c in floats if c.precision == "fp32" and not c.beaten(floats)]
        return self._timed([*floats, *self._integers(kept)])

    def _floats(self) -> Iterator[tuple[str, Path]]:
        yield translate("original model"), self.model.path
        for path, model in self._given:
            yield str(path), model.path
        folder, sizes = self.directory / _CANDIDATES, self.config.size
        for backbone in self._backbones:
            for one in linear_probe_candidates(
                self.options, self.manifest, backbone, sizes, folder, self.model.path
            ):
                self.probes[one.name] = one
                yield one.name, one.path
                if self._late():
                    return

    def _integers(self, kept: Sequence[ShrinkCandidate]) -> Iterator[ShrinkCandidate]:
        """Yield int8 versions of those that no other dominates."""
        for number, candidate in enumerate(kept):
            if self._late():
                return
            name = f"{candidate.name} int8"
            say("Trying {name}", name=name)
            # Directories of different runs may have the same name.
            path = self.directory / _CANDIDATES / f"{candidate.path.resolve().parent.name}-{number}-int8.onnx"
            if candidate.name in self.probes:
                path = candidate.path.with_name(f"{candidate.path.stem}-int8.onnx")
                self.probes[name] = self.probes[candidate.name]
            try:
                found = self._quantised(candidate, name, path)
            except DataError as error:  # too few images to calibrate on; what was found stands
                progress().say(error.text())
                continue
            yield found

    def _quantised(self, candidate: ShrinkCandidate, name: str, path: Path) -> ShrinkCandidate:
        config = self.config
        made = quantised(candidate.path, path, self.manifest, config.seed)
        enough = candidate.correct - _LOSS * candidate.count
        return first_good((self._measured(name, one) for one in made), enough)

    def _measured(self, name: str, path: Path) -> ShrinkCandidate:
        model, task = SealedModel(path, threads=1), SILENT.task("", total=len(self._images))
        predictions = predict_samples(model, self.manifest.root, self._images, task=task)
        correct = predictions.correct
        return ShrinkCandidate(
            name=name,
            path=path,
            precision=precision_of(onnx.load(path)),
            correct=int(correct.sum()),
            count=len(correct),
            size_bytes=path.stat().st_size,
        )

    def _timed(self, candidates: Sequence[ShrinkCandidate]) -> list[ShrinkCandidate]:
        models = [SealedModel(c.path, threads=1) for c in candidates]
        image = self.manifest.root / self._images[0].path
        with progress_task("Measuring latency", total=len(models)) as task:
            found = latencies(models, image)
            task.advance(len(models))
        return [replace(c, latency_ms=ms) for c, ms in zip(candidates, found, strict=True)]

    def _late(self) -> bool:
        budget = self.config.budget
        return budget is not None and time.monotonic() - self._began > budget

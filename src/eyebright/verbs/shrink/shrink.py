"""`shrink`: the most accurate model that keeps to a latency, a size, or both on this machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from eyebright.data.manifest import Manifest, Sample
from eyebright.errors import DataError
from eyebright.exporting.certificate.hashes import sha256
from eyebright.exporting.precision import precision_of
from eyebright.runs import messages as tell
from eyebright.runs.images import check_classes, check_not_learned, drawn, manifest_of
from eyebright.runs.integrity import check_elsewhere, check_untouched
from eyebright.runs.run import new_directory, write_options
from eyebright.runs.scoring import ask
from eyebright.runtime.context import progress, progress_task, say, stage, timed
from eyebright.runtime.progress import SILENT
from eyebright.sealed.model import SealedModel
from eyebright.text.language import translate
from eyebright.verbs.evaluate.baseline import latencies
from eyebright.verbs.evaluate.uncertainty import promises
from eyebright.verbs.shrink.candidate import Candidate, choose, first_good, rows
from eyebright.verbs.shrink.finish import HandedOut, hand_out
from eyebright.verbs.shrink.int8_candidates import quantised
from eyebright.verbs.shrink.linear_probe_candidates import Sealed, frozen_ones
from eyebright.verbs.shrink.messages import FIGURES, verdict, write_tried
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.result import Shrunk
from eyebright.verbs.shrink.targets import parse_target
from eyebright.verbs.train.options import TrainConfig
from eyebright.verbs.train.single_label import require_one_label
from eyebright.verbs.train.train import frozen_backbone

_TRIED = "candidates"
_LOSS = 0.005  # of accuracy, by int8, beyond which the next rung of its ladder is tried


@stage
def shrink(config: ShrinkConfig) -> Shrunk:
    """Searches input sizes, layers, networks and precisions, and hands out the best that meets the targets.

    Args:
        config: which model, which targets.

    Raises:
        NotFoundError, ModelError: a model is not there, is not a sealed one, or was changed after its run.
        DataError: the images are gone, or a model knows other classes.
        ConfigError: there is no such backbone.
    """
    search = Search(config)
    with timed("search"):
        candidates = search.candidates()
    targets = [parse_target(text) for text in config.target]
    chosen = choose(candidates, targets)
    directory = search.directory
    found = rows(candidates, targets, chosen)
    with timed("report"):
        sentences = [verdict(chosen, targets)]
        if not search.manifest.of("test"):
            sentences.append(
                translate(
                    "There is no test split, so the metrics come from the validation images used to "
                    "select the model and are slightly optimistic."
                )
            )
        write_tried(directory, config, found, targets, sentences)
        what = HandedOut(chosen, search.made.get(chosen.name), search.options, targets, sentences)
        run = hand_out(config, what, search.model, search.manifest, directory)
    for sentence in sentences:
        progress().say(sentence)
    tell.decisions_left(search.model, run.model)
    return Shrunk(run, candidates, chosen, targets, directory / "pareto.html")


class Search:
    """Makes and measures one candidate after the other.

    Args:
        config: what is tried.

    Attributes:
        model: that a smaller one is sought for.
        manifest: its images.
        directory: of the run.
        options: of what is trained; it promises what the model promises.
        made: the classifiers behind candidates that were trained here, by the candidates' names.
    """

    def __init__(self, config: ShrinkConfig) -> None:
        self.config, self.progress = config, progress
        self._began = time.monotonic()
        self.model = SealedModel(config.model, threads=1)
        require_one_label(self.model.thresholds is not None, "shrink")
        check_untouched(self.model.path)
        self._check_out()
        self.manifest: Manifest = manifest_of(self.model, config.data, config.seed)
        check_classes(self.model, self.manifest.labels)
        self._also = [(path, SealedModel(path, threads=1)) for path in config.also]
        for _, other in self._also:
            check_untouched(other.path)
            check_classes(other, self.manifest.labels)
            check_not_learned(other, self.manifest)
        self._images: list[Sample] = drawn(self.manifest, config.images, config.seed)
        self.options = TrainConfig(
            data=self.manifest.root, seed=config.seed, lang=config.lang, **promises(self.model)
        )
        self._backbones = [
            frozen_backbone(self.options.model_copy(update={"backbone": name})) for name in config.backbone
        ]
        self.made: dict[str, Sealed] = {}
        self.directory = new_directory(config.out, "runs", self.model.path.resolve().parent.name)
        (self.directory / "metrics.json").unlink(missing_ok=True)
        write_options(config, self.directory)
        if (self.directory / FIGURES).is_file():  # of an earlier search; other files are somebody's own
            shutil.rmtree(self.directory / _TRIED, ignore_errors=True)

    def _check_out(self) -> None:
        out = self.config.out
        for path in (self.model.path, *self.config.also):
            for written in (out, out and out / _TRIED):
                check_elsewhere(written, path)

    def candidates(self) -> list[Candidate]:
        """Everything that was tried, with its figures; latencies are taken in turn, at the end of a round."""
        floats = self._timed([self._measured(name, path) for name, path in self._floats()])
        if not self.config.int8:
            return floats
        # What was compressed already cannot be quantised once more.
        kept = [c for c in floats if c.precision == "fp32" and not c.beaten(floats)]
        return self._timed([*floats, *self._integers(kept)])

    def _floats(self) -> Iterator[tuple[str, Path]]:
        yield translate("original model"), self.model.path
        for path, model in self._also:
            yield str(path), model.path
        folder, digest = self.directory / _TRIED, sha256(self.model.path)
        for backbone in self._backbones:
            for one in frozen_ones(self.options, self.manifest, backbone, self.config.size, folder, digest):
                self.made[one.name] = one
                yield one.name, one.path
                if self._late():
                    return

    def _integers(self, kept: Sequence[Candidate]) -> Iterator[Candidate]:
        """What int8 makes of those that nobody beats."""
        for number, candidate in enumerate(kept):
            if self._late():
                return
            name = f"{candidate.name} int8"
            say("Trying {name}", name=name)
            # Directories of different runs may have the same name.
            path = self.directory / _TRIED / f"{candidate.path.resolve().parent.name}-{number}-int8.onnx"
            if candidate.name in self.made:
                path = candidate.path.with_name(f"{candidate.path.stem}-int8.onnx")
                self.made[name] = self.made[candidate.name]
            try:
                found = self._quantised(candidate, name, path)
            except DataError as error:  # there are too few images to calibrate on; what was found stands
                progress().say(error.text())
                continue
            yield found

    def _quantised(self, candidate: Candidate, name: str, path: Path) -> Candidate:
        config = self.config
        made = quantised(candidate.path, path, self.manifest, config.seed)
        enough = candidate.correct - _LOSS * candidate.count
        return first_good((self._measured(name, one) for one in made), enough)

    def _measured(self, name: str, path: Path) -> Candidate:
        with SILENT.task("", total=len(self._images)) as task:
            answers = ask(SealedModel(path, threads=1), self.manifest.root, self._images, task)
        right = answers.probabilities.argmax(axis=1) == answers.truth
        return Candidate(
            name=name,
            path=path,
            precision=precision_of(onnx.load(path)),
            correct=int(right.sum()),
            count=len(right),
            size_bytes=path.stat().st_size,
        )

    def _timed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        models = [SealedModel(c.path, threads=1) for c in candidates]
        image = self.manifest.root / self._images[0].path
        with progress_task("Measuring latency", total=len(models)) as task:
            found = latencies(models, image)
            task.advance(len(models))
        return [replace(c, latency_ms=ms) for c, ms in zip(candidates, found, strict=True)]

    def _late(self) -> bool:
        budget = self.config.budget
        return budget is not None and time.monotonic() - self._began > budget

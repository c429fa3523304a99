"""What the evaluated images say of an anomaly detector, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from eyebright.data.manifest import Sample
from eyebright.data.splits.good_names import ANOMALY, ONE_CLASS
from eyebright.errors import ImageError, NotFoundError
from eyebright.evaluation.proportions import proportion
from eyebright.explaining.anomaly_map import AnomalyMap
from eyebright.explaining.overlay import overlay
from eyebright.report.anomaly.outcome import AnomalyOutcome, KindRecall, LimitFacts, ScoredImage, Way
from eyebright.report.thumbnails import data_uri
from eyebright.runs.evaluation import Evaluation
from eyebright.runtime.context import say
from eyebright.runtime.parallel import parallel
from eyebright.sealed.model import SealedModel
from eyebright.training.anomaly.scores import ScoreScale
from eyebright.training.anomaly.selection import AnomalyCandidate
from eyebright.training.anomaly.trainer import AnomalyModel
from eyebright.types import BoolArray, FloatArray
from eyebright.verbs.train.anomaly.images import OneClassImages

_SHOWN, _SUSPECTS = 12, 10
_PICTURE_PX = 224
# So many spreads above the usual, where of a million usual images less than one would be.
_SUSPECT = 5.0


def suspects_of(model: AnomalyModel, scale: ScoreScale) -> list[ScoredImage]:
    """Return the training images that may be anomalies, the most unusual first.

    Each was scored by detectors that did not learn from it.
    """
    order = np.argsort(-model.unusual, kind="stable")[:_SUSPECTS]
    scores = scale.score(model.unusual)
    return [
        ScoredImage(model.scored[i].path, "", float(scores[i])) for i in order if model.unusual[i] > _SUSPECT
    ]


def say_suspects(suspects: Sequence[ScoredImage]) -> None:
    """Name the training images that may be anomalies."""
    if not suspects:
        return
    say(
        "{count:training image looks|training images look} so unlike the others that defects may hide in "
        "them. Look at them first; if they are defects, move them out of the good images and train again:",
        count=len(suspects),
    )
    for one in suspects:
        say("  {path} (score {score})", path=one.path, score=f"{one.score:.2f}")


def outcome_of(
    evaluation: Evaluation,
    images: OneClassImages,
    model: AnomalyModel,
    scale: ScoreScale,
    limit: LimitFacts,
) -> AnomalyOutcome:
    """Measure an evaluated anomaly detector.

    Args:
        evaluation: of the sealed model.
        images: with the kinds of anomalies.
        model: the detectors.
        scale: of the scores.
        limit: what it rests on.
    """
    predictions, split = evaluation.predictions, evaluation.split
    places = predictions.of(split)
    samples = [predictions.samples[i] for i in places]
    scores = _scores(predictions.probabilities[places, 1], scale)
    alarm = predictions.predicted[places] == ONE_CLASS.index(ANOMALY)
    bad = np.array([s.label == ANOMALY for s in samples], bool)
    figures = evaluation.operating.curves[0].point.figures
    draw = _Drawer(evaluation.model, images.manifest.root, images.kinds)

    def shown(chosen: Sequence[int]) -> list[ScoredImage]:
        return draw.pictures([samples[i] for i in chosen], scores[list(chosen)])

    rising = np.argsort(scores, kind="stable")
    good = [int(i) for i in rising[::-1] if not bad[i]]
    suspects = suspects_of(model, scale)
    known = {sample.path: sample for sample in model.scored}
    return AnomalyOutcome(
        limit=limit,
        learned=len(images.manifest.of("train")) - len(model.skipped),
        good=int((~bad).sum()),
        alarms=int((alarm & ~bad).sum()),
        false_alarms=figures["false_positive_rate"],
        anomalies=int(bad.sum()),
        auroc=evaluation.metrics.roc_auc,
        recall=figures["recall"],
        kinds=_kinds(samples, alarm, images.kinds),
        suspects=draw.pictures(
            [known[one.path] for one in suspects], np.array([one.score for one in suspects], np.float32)
        ),
        hardest=shown(good[:_SHOWN]),
        missed=shown([int(i) for i in rising if bad[i] and not alarm[i]][:_SHOWN]),
        found=shown([int(i) for i in rising if bad[i] and alarm[i]][:_SHOWN]),
        ways=_ways(model.candidates, model.chosen),
        candidates=[candidate.to_json() for candidate in model.candidates],
    )


def _scores(probabilities: FloatArray, scale: ScoreScale) -> FloatArray:
    """Return the scores (N,) that probabilities of anomalies stand for."""
    inside = np.clip(probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.asarray(1 + np.log(inside / (1 - inside)) / scale.slope, np.float32)


def _kinds(samples: Sequence[Sample], alarm: BoolArray, kinds: Mapping[str, str]) -> list[KindRecall]:
    found: list[KindRecall] = []
    for kind in sorted({kinds[s.path] for s in samples if s.path in kinds}):
        hit = np.array([a for s, a in zip(samples, alarm, strict=True) if kinds.get(s.path) == kind], bool)
        found.append(KindRecall(kind, len(hit), proportion(hit)))
    return found


def _ways(candidates: Sequence[AnomalyCandidate], chosen: AnomalyCandidate) -> list[Way]:
    """Return the best candidate of each size, maps and method, the best first."""
    best: dict[tuple[int, str, str], AnomalyCandidate] = {}
    for one in sorted(candidates, key=lambda c: (c is not chosen, -c.auroc)):
        best.setdefault((one.size, one.maps, one.method), one)
    return [
        Way(one.name, one.auroc, one.kinds, one is chosen)
        for one in sorted(best.values(), key=lambda c: (c is not chosen, -c.auroc))
    ]


class _Drawer:
    """Draws the maps of anomalies over images."""

    def __init__(self, model: SealedModel, root: Path, kinds: Mapping[str, str]) -> None:
        self._model = model
        self._how = AnomalyMap(model)
        self._root = root
        self._kinds = kinds

    def pictures(self, samples: Sequence[Sample], scores: FloatArray) -> list[ScoredImage]:
        """Return samples with their pictures; what cannot be read any more has none."""
        return list(parallel(self._picture, zip(samples, scores.tolist(), strict=True)))

    def _picture(self, scored: tuple[Sample, float]) -> ScoredImage:
        sample, score = scored
        kind = self._kinds.get(sample.path, "")
        try:
            pixels = self._model.pixels(self._root / sample.path, sample.sha)
        except (ImageError, NotFoundError):  # scored from the cache, and deleted or changed since
            return ScoredImage(sample.path, kind, score)
        drawn = overlay(pixels, self._how.heat(pixels, 1), _PICTURE_PX, full=self._how.full)
        picture = data_uri(Image.fromarray(pixels), _PICTURE_PX)
        return ScoredImage(sample.path, kind, score, picture, data_uri(drawn, _PICTURE_PX))

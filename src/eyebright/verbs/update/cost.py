"""What an update cost the classes of the run: both models on the same images, unseen by either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eyebright.data.manifest import Sample, parted
from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.evaluation.paired import accuracy_difference, holm, mcnemar
from eyebright.report.update_content import ClassChange
from eyebright.runs.evaluation import Evaluation
from eyebright.runs.scoring import predict_samples
from eyebright.runtime.context import progress_task
from eyebright.sealed.model import SealedModel
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.folds import groups_of
from eyebright.types import BoolArray
from eyebright.verbs.update.class_edits import ClassEdits


@dataclass(frozen=True)
class _Paired:
    """Images of some classes with the names that both models predict for them."""

    samples: Sequence[Sample]
    before: Sequence[frozenset[str]]
    after: Sequence[frozenset[str]]


def class_changes(
    model: SealedModel,
    edits: ClassEdits,
    evaluation: Evaluation,
    cross_validated: Mapping[str, PredictionRow] | None = None,
) -> tuple[list[ClassChange], ClassChange | None]:
    """Compare the models on the evaluated images of each class that both know, and on all of these.

    A label of a multi-label model counts as correct where it is predicted for an image that has it.

    Args:
        model: of the earlier run.
        edits: how its classes are called now.
        evaluation: of the updated model.
        cross_validated: what models of the earlier run's folds predicted for its images, by their hashes,
            where these are compared; None of a run that held images out.

    Returns:
        A change for each class, and that of all their images together; None where there are none.
    """
    pairs, multilabel = _paired(model, edits, evaluation, cross_validated), model.task.multilabel
    known = [label for label in edits.labels(model.labels) if label in evaluation.predictions.labels]
    new = frozenset() if multilabel else frozenset(evaluation.predictions.labels) - set(known)
    changes, right = [], []
    for label in known:
        places = [i for i, s in enumerate(pairs.samples) if label in (s.labels if multilabel else (s.label,))]
        if places:
            both = np.array([[label in names[i] for i in places] for names in (pairs.before, pairs.after)])
            taken = sum(not new.isdisjoint(pairs.after[i]) for i in places)
            changes.append(_change(label, both, [pairs.samples[i] for i in places], taken))
            right.append((both, places))
    if not changes:
        return [], None
    adjusted = holm([change.p for change in changes])
    changes = [replace(change, p=p) for change, p in zip(changes, adjusted, strict=True)]
    samples = [pairs.samples[i] for _, places in right for i in places]
    taken = sum(change.to_new for change in changes)
    return changes, _change("", np.concatenate([both for both, _ in right], axis=1), samples, taken)


def _paired(
    model: SealedModel,
    edits: ClassEdits,
    evaluation: Evaluation,
    cross_validated: Mapping[str, PredictionRow] | None,
) -> _Paired:
    """Return the evaluated images with both predictions, the earlier one by the names of now."""
    now = evaluation.predictions
    places = now.of(evaluation.split)
    samples = [now.samples[i] for i in places]
    names = now.task.names(now.predicted[places], now.labels)
    after = {s.path: frozenset(found) for s, found in zip(samples, names, strict=True)}
    if cross_validated is not None:
        samples = [s for s in samples if s.sha in cross_validated]
        rows = [cross_validated[s.sha].predicted for s in samples]
        earlier = [parted(row) if now.task.multilabel else (row,) for row in rows]
        return _Paired(samples, _renamed(earlier, edits), [after[s.path] for s in samples])
    # Both models share the graph up to the features, so these come from the cache.
    task = progress_task("Running the earlier model", total=len(samples))
    then = predict_samples(model, evaluation.manifest.root, samples, default_folder(), task=task)
    names = then.task.names(then.task.predicted(then.probabilities), then.labels)
    return _Paired(then.samples, _renamed(names, edits), [after[s.path] for s in then.samples])


def _renamed(names: Sequence[Sequence[str]], edits: ClassEdits) -> list[frozenset[str]]:
    return [frozenset(edits.renamed(name) or "" for name in found) for found in names]


def _change(label: str, right: BoolArray, samples: Sequence[Sample], to_new: int) -> ClassChange:
    """Compare predictions (2, n), correct or not, before and after the update."""
    before, after = right
    found = groups_of(samples)
    groups = found if int(found.max()) + 1 < len(found) else None
    return ClassChange(
        label=label,
        images=len(samples),
        before=int(before.sum()),
        after=int(after.sum()),
        difference=accuracy_difference(after, before, groups),
        p=mcnemar(after, before, groups),
        to_new=to_new,
    )

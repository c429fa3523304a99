"""Where a sealed model comes from: its card, its licences, its data, as the file carries them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from eyebright.data.licence import data_licence
from eyebright.data.manifest import Manifest
from eyebright.exporting.certificate.hashes import sha256
from eyebright.runs.metrics import versions
from eyebright.sealed.metadata import MULTILABEL
from eyebright.sealed.model import model_file
from eyebright.sealed.text_tensor import TOKENIZER
from eyebright.task.task import THRESHOLD
from eyebright.types import JsonObject
from eyebright.verbs.train.trained_model import TrainedModel


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Provenance of a sealed model, for its metadata.

    Attributes:
        card: backbone, preprocessing, feature layers, temperature and the selected settings.
        licence: of the weights.
        data_licence: of the images, where the data states one.
        data_sha: hash of the images, their labels and splits.
        versions: of the packages that it was made with.
        white_level: the grey value that is white where grey has more than 8 bits; None of 8-bit images.
        baseline_sha256: of the teacher, the original or the model that was updated, where there is one.
        thresholds: (K,) from which probability on a label is predicted; None of a single-label model.
        tokenizer: of the sentence encoder, as `tokenizer.json` has it; None of a model without.
    """

    card: JsonObject
    licence: str
    data_licence: str | None
    data_sha: str
    versions: Mapping[str, str]
    white_level: int | None
    baseline_sha256: str | None
    thresholds: Sequence[float] | None
    tokenizer: str | None = None

    def metadata(self) -> JsonObject:
        """Return the entries of the sealed model's metadata, which `metrics.json` repeats."""
        optional: JsonObject = {
            "task": None if self.thresholds is None else MULTILABEL,
            "thresholds": self.thresholds,
            "card": self.card,
            "licence": self.licence,
            "data_licence": self.data_licence,
            "data_sha": self.data_sha,
            "versions": self.versions,
            "parent_sha256": self.baseline_sha256,
            TOKENIZER: self.tokenizer,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        return {**given, "white_level": self.white_level}


def provenance_of(trained: TrainedModel, manifest: Manifest) -> Provenance:
    """Return the provenance of a trained classifier, with the default thresholds where it has labels."""
    card = trained.backbone.card
    baseline = trained.baseline or trained.earlier
    return Provenance(
        card={
            "backbone": card.name,
            "backbone_sha": card.sha,
            "source": card.source,
            "preprocessing": asdict(trained.preprocessing),
            "taps": [f"{tap.layer.name}:{tap.kind}" for tap in trained.taps],
            "temperature": trained.temperature,
            **trained.chosen,
        },
        licence=card.licence,
        data_licence=data_licence(manifest.root),
        data_sha=manifest.digest,
        versions=versions(),
        white_level=manifest.white_level,
        baseline_sha256=None if baseline is None else sha256(model_file(baseline)),
        thresholds=[THRESHOLD] * len(manifest.labels) if trained.task.multilabel else None,
        tokenizer=None if trained.text is None else trained.text.tokenizer,
    )

"""`metrics.json`: what it holds, for training, evaluation and shrinking alike.

`metrics.schema.json` beside this module describes it for readers; a test holds the files of real runs to it.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from eyebright.auditing.data_checks import DataChecks
from eyebright.data.manifest import FOLDS, SPLITS, Manifest
from eyebright.errors import ModelError
from eyebright.evaluation.forecast import LearningCurve
from eyebright.evaluation.group_figures import GroupResults
from eyebright.evaluation.measure import Majority
from eyebright.evaluation.modalities import Modalities
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.evaluation.robustness import RobustnessResult
from eyebright.evaluation.slices import Slice
from eyebright.evaluation.text_leak import TextLeak
from eyebright.evaluation.uncertainty.results import Uncertainty
from eyebright.few_labels.unlabelled import UnlabelledOutcome
from eyebright.report.anomaly.outcome import AnomalyOutcome
from eyebright.report.content import BaselineComparison, FinetuneOutcome, PretrainOutcome
from eyebright.report.update_content import UpdateOutcome
from eyebright.runs.operating_points import OperatingPoints
from eyebright.runtime.stored import STORED, read_json, reason_of
from eyebright.sealed.parity import Parity
from eyebright.text.language import english
from eyebright.types import Json, JsonObject, Skipped, Split
from eyebright.version import __version__

#: The file's name in a run directory.
METRICS = "metrics.json"
#: Rises when a key changes its meaning or goes; new keys do not raise it.
SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class MetricsFile:
    """The content of `metrics.json`; what is None is left out of the file.

    Attributes:
        metrics: of the evaluated split.
        manifest: without the images that could not be read.
        engine: that computed: the training's, or the one that the sealed model ran on.
        seconds: by stage; `total` is the whole.
        operating: operating points and costs.
        uncertainty: OOD scores and prediction sets.
        slices: the metrics by image properties.
        majority: what always predicting the most frequent class would reach.
        data_sha: hash of the images, their labels and splits, with those that could not be read.
        versions: of the packages that a result depends on.
        parity: the sealed model compared with the training pipeline.
        baseline: the model compared with its teacher or original.
        robustness: accuracy on corrupted images.
        learning_curve: accuracy against the number of training images.
        model: the evaluated file; None where the run wrote it itself.
        model_sha256: of the file that the run wrote.
        chosen: the selected settings of a training, or the selected candidate of a search.
        candidates: what was compared with them.
        ece_before: calibration error before temperature scaling.
        temperature: what the logits are divided by.
        provenance: what the sealed model carries as well: its card, licences and, of multi-label, thresholds.
        targets: of latency and size, as a search was given them.
        target_met: whether the selected candidate meets them all.
        groups: how patients, lots or products are found, where images come in such groups.
        finetuning: what fine-tuning changed, where it was compared.
        unlabelled: what unlabelled images brought, where there were some.
        pretraining: what pretraining on unlabelled images changed.
        data_checks: what a training found in its data.
        update: what an update changed about the run that it began with.
        anomaly: what a training on good images alone found.
        modalities: what image and text each tell, of a model that reads texts.
        text_leak: what texts give away of the class.
    """

    metrics: Metrics
    manifest: Manifest
    engine: str
    seconds: Mapping[str, float]
    operating: OperatingPoints
    uncertainty: Uncertainty
    slices: Sequence[Slice]
    majority: Majority
    data_sha: str
    versions: Mapping[str, str]
    parity: Parity | None = None
    baseline: BaselineComparison | None = None
    robustness: RobustnessResult | None = None
    learning_curve: LearningCurve | None = None
    model: Path | None = None
    model_sha256: str | None = None
    chosen: Mapping[str, Json] | None = None
    candidates: Mapping[str, Json] | None = None
    ece_before: float | None = None
    temperature: float | None = None
    provenance: Mapping[str, Json] | None = None
    targets: Sequence[Mapping[str, Json]] | None = None
    target_met: bool | None = None
    groups: GroupResults | None = None
    finetuning: FinetuneOutcome | None = None
    unlabelled: UnlabelledOutcome | None = None
    pretraining: PretrainOutcome | None = None
    data_checks: DataChecks | None = None
    update: UpdateOutcome | None = None
    anomaly: AnomalyOutcome | None = None
    modalities: Modalities | None = None
    text_leak: TextLeak | None = None

    def headline(self) -> dict[str, float | None]:
        """Return the figures that a tracker logs of a finished run."""
        return {name: getattr(self.metrics, name).value for name in ("accuracy", "log_loss", "ece")}

    def to_json(self) -> JsonObject:
        """Return the file's content."""
        manifest, curve = self.manifest, self.learning_curve
        optional: JsonObject = {
            "ece_before": self.ece_before,
            "temperature": self.temperature,
            "parity": None if self.parity is None else asdict(self.parity),
            "chosen": self.chosen,
            "candidates": self.candidates,
            "targets": self.targets,
            "target_met": self.target_met,
            "model": None if self.model is None else str(self.model),
            "model_sha256": self.model_sha256,
            "learning_curve": None if curve is None else curve.to_json(),
            "baseline": None if self.baseline is None else asdict(self.baseline),
            "groups": None if self.groups is None else self.groups.to_json(),
            "splitting": None if manifest.facts is None else manifest.facts.to_json(),
            "training_weights": (
                None if manifest.training_weights is None else asdict(manifest.training_weights)
            ),
            "finetuning": None if self.finetuning is None else asdict(self.finetuning),
            "unlabelled": None if self.unlabelled is None else self.unlabelled.to_json(),
            "pretraining": None if self.pretraining is None else asdict(self.pretraining),
            "data_checks": None if self.data_checks is None else self.data_checks.to_json(),
            "update": None if self.update is None else asdict(self.update),
            "anomaly": None if self.anomaly is None else self.anomaly.to_json(),
            "text_leak": None if self.text_leak is None else self.text_leak.to_json(),
            **({} if self.modalities is None else self.modalities.to_json()),
        }
        return {
            "schema_version": SCHEMA_VERSION,
            **self.metrics.to_json(),
            "majority": asdict(self.majority),
            "root": str(manifest.root.absolute()),
            "images": {
                **{split: len(manifest.of(split)) for split in SPLITS},
                **({FOLDS: self.metrics.count} if self.metrics.split == FOLDS else {}),
            },
            "engine": self.engine,
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
            "skipped": [skipped_json(s) for s in manifest.skipped],
            "warnings": [skipped_json(s) for s in manifest.warnings],
            **{name: value for name, value in optional.items() if value is not None},
            **self.operating.to_json(),
            "slices": [one.to_json() for one in self.slices],
            **({} if self.robustness is None else self.robustness.to_json()),
            **self.uncertainty.to_json(),
            "data_sha": self.data_sha,
            "versions": self.versions,
            **(self.provenance or {}),
        }


class StoredMetrics(BaseModel):
    """What :class:`MetricsFile` wrote: entries that are used again, checked, and the others."""

    model_config = ConfigDict(**STORED, extra="allow")

    labels: list[str]
    split: Split
    root: str
    model_sha256: str | None = None


_METRICS = TypeAdapter(StoredMetrics)


def read_metrics(path: Path) -> StoredMetrics:
    """Read a `metrics.json`.

    Raises:
        ModelError: no run wrote it.
    """
    try:
        return read_json(_METRICS, path)
    except (OSError, ValueError) as error:
        raise ModelError(
            "A metrics.json must be the one its run wrote. {path} is not: {reason}. Restore it from a "
            "copy of the run, or train again.",
            path=path,
            reason=reason_of(error),
        ) from error


def skipped_json(skipped: Skipped) -> JsonObject:
    """Return a skipped file, or a warning, as `metrics.json` lists it."""
    return {"path": skipped.path, "reason": english(skipped.reason, **skipped.reason_values)}


def versions(*more: str) -> dict[str, str]:
    """Return the versions that a result depends on, with those of ``more`` packages that are installed."""
    packages = ("numpy", "scipy", "pillow", "onnx", "onnxruntime", "openvino", *more)
    found: dict[str, str] = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return {"eyebright": __version__, "python": platform.python_version(), **found}

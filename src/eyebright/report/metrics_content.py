"""The content of `metrics.json` as it is read: the types of its keys, of which a run has those it measured.

`metrics.schema.json` describes it to other programs; a test holds the two to the same keys.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from eyebright.types import Split, StoredJson


class IntervalContent(TypedDict):
    """A metric with its 95 % interval."""

    value: float
    low: float
    high: float


#: A target with its threshold, and what that gives on the evaluated split; None without images of its class.
OperatingPointContent = TypedDict(
    "OperatingPointContent",
    {
        "target": str,
        "class": str,
        "threshold": float,
        "met": bool,
        "chosen_on": Split,
        "chosen_value": float,
        "split": Split,
        "value": float | None,
        "low": float | None,
        "high": float | None,
        "reason": NotRequired[str],
        "figures": dict[str, StoredJson],
        "verdict": NotRequired[str],
        "limit": NotRequired[float],
        "counted": NotRequired[int],
        "grouped": NotRequired[bool],
        "errors": NotRequired[int],
        "needed": NotRequired[int | None],
        "needed_without_error": NotRequired[bool],
        "answered": NotRequired[IntervalContent],
        "answered_without": NotRequired[float],
    },
)


class UnknownContent(TypedDict):
    """How many images are predicted as unknown, and how well OOD images are told apart."""

    method: str
    threshold: float
    false_rejection: float
    chosen_on: Split
    images: int
    split: Split
    rejected: IntervalContent
    auroc: NotRequired[IntervalContent]
    accepted: NotRequired[IntervalContent]
    ood: NotRequired[StoredJson]
    max_softmax: NotRequired[StoredJson]
    kept: NotRequired[bool]


class ConformalContent(TypedDict):
    """Prediction sets: the rule, and the coverage that was measured."""

    method: str
    coverage: float
    per_class: bool
    threshold: float
    class_thresholds: list[float]
    calibrated_on: Split
    images: int
    split: Split
    measured: IntervalContent
    mean_set_size: float
    classes: dict[str, StoredJson]
    class_conditional: NotRequired[StoredJson]
    marginal: NotRequired[StoredJson]
    kept: NotRequired[bool]
    broken_for: NotRequired[list[str]]


class BaselineContent(TypedDict):
    """The model compared with its teacher, or with the original it was made from."""

    baseline: str
    baseline_sha256: str
    split: Split
    images: int
    accuracy: float
    accuracy_baseline: float
    accuracy_difference: IntervalContent
    size_bytes: int
    size_bytes_baseline: int
    latency_ms: float
    latency_ms_baseline: float


class ShiftContent(TypedDict):
    """How recognisable the second of two splits is."""

    parts: list[Split]
    told_apart: float
    p: float
    images: list[int]
    found: bool


# A key is a word of the language.
ShortcutContent = TypedDict(
    "ShortcutContent",
    {
        "property": str,
        "accuracy": IntervalContent,
        "chance": float,
        "p": float,
        "class": str,
        "recall": float,
    },
)


class GroupCountsContent(TypedDict):
    """Groups by split, and how many of them are in several."""

    splits: dict[Split, int]
    shared: int


class DataChecksContent(TypedDict):
    """What a training found in its data."""

    shift: ShiftContent | None
    shortcuts: list[ShortcutContent]
    leaks_removed: int
    groups: GroupCountsContent | None


class MajorityContent(TypedDict):
    """What always predicting the most frequent class, or set of labels, would reach."""

    label: str
    share: float


class AnomalyContent(TypedDict):
    """What a training on good images alone found."""

    limit: StoredJson
    learned: int
    good: int
    alarms: int
    false_alarms: IntervalContent | None
    anomalies: int
    auroc: IntervalContent | None
    recall: IntervalContent | None
    kinds: dict[str, StoredJson]
    suspects: list[StoredJson]
    hardest: list[StoredJson]
    missed: list[StoredJson]
    candidates: list[StoredJson]


class MetricsContent(TypedDict, total=False):
    """All keys of `metrics.json`; their meaning is in the schema."""

    schema_version: int
    split: Split
    accuracy: IntervalContent
    balanced_accuracy: IntervalContent
    macro_f1: IntervalContent
    micro_f1: IntervalContent
    weighted_f1: IntervalContent
    log_loss: IntervalContent
    ece: IntervalContent
    hamming_loss: IntervalContent
    constant_hamming_loss: float
    top5: IntervalContent
    kappa: StoredJson
    matthews: StoredJson
    roc_auc: StoredJson
    average_precision: StoredJson
    brier: IntervalContent
    positive: str
    per_class: dict[str, StoredJson]
    confusion: list[list[int]]
    together: list[list[int]]
    labels: list[str]
    reliability: list[StoredJson]
    root: str
    images: dict[Split, int]
    engine: str
    seconds: dict[str, float]
    skipped: list[StoredJson]
    warnings: list[StoredJson]
    ece_before: float
    temperature: float
    parity: StoredJson
    chosen: StoredJson
    candidates: StoredJson
    targets: list[StoredJson]
    target_met: bool
    model: str
    model_sha256: str
    learning_curve: StoredJson
    baseline: BaselineContent
    operating_points: list[OperatingPointContent]
    costs: StoredJson
    slices: list[StoredJson]
    robustness: StoredJson
    shortcut: StoredJson
    unknown: UnknownContent
    conformal: ConformalContent
    task: str
    thresholds: list[float]
    card: StoredJson
    licence: str
    data_licence: str
    data_sha: str
    parent_sha256: str
    versions: dict[str, str]
    white_level: int | None
    majority: MajorityContent
    groups: StoredJson
    finetuning: StoredJson
    pretraining: StoredJson
    unlabelled: StoredJson
    modalities: StoredJson
    text_gain: StoredJson
    text_leak: StoredJson
    training_weights: StoredJson
    data_checks: DataChecksContent
    splitting: StoredJson
    update: StoredJson
    anomaly: AnomalyContent
    contested_images: int

"""What the report page is made of: figures and choices that earlier stages have already computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eyebright.data.manifest import Manifest
from eyebright.evaluation.results import Metrics, PredictionRow
from eyebright.sealed.parity import Parity
from eyebright.types import Interval


@dataclass(frozen=True)
class Choice:
    """One way that was tried, with its accuracy by cross-validation inside the training part."""

    name: str
    accuracy: Interval
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """Everything the page shows; a section whose content is empty or None does not appear.

    Attributes:
        title: the page's heading.
        manifest: the samples; images lie on disk at ``manifest.root / sample.path``.
        metrics: figures of the judged part, whose predictions are the ``rows`` of the same split.
        rows: the sealed model's answers; rows of other splits are passed over.
        engine, backbone, layers: shown as they are.
        size: the model's input side in pixels.
        command: the command line that made the run.
        ece_before: calibration error before temperature scaling, a fraction.
        temperature: what the logits were divided by.
        choices: input sizes, layers and so on that were compared.
        parity: the sealed model's proof.
        seconds: by stage, in order; a key ``total`` is the whole.
        facts: free names and values, shown as they are, in order.
    """

    title: str
    manifest: Manifest
    metrics: Metrics
    rows: Sequence[PredictionRow]
    engine: str
    backbone: str
    size: int
    layers: str
    command: str
    ece_before: float | None = None
    temperature: float | None = None
    choices: Sequence[Choice] = ()
    parity: Parity | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def judged(self) -> list[PredictionRow]:
        """The rows that the metrics are of."""
        return [row for row in self.rows if row.split == self.metrics.split]

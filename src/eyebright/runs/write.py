"""What training and evaluation leave behind: metrics.json and the report."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from eyebright.data.manifest import Manifest
from eyebright.evaluation.calibration import uncalibrated_error
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.report.card import model_card
from eyebright.report.content import ReportContent
from eyebright.report.page import write_report
from eyebright.runs.predictions_csv import write_predictions
from eyebright.runs.scoring import Answers
from eyebright.runtime.atomic import write_text
from eyebright.text.language import english
from eyebright.types import Skipped, Split
from eyebright.version import __version__


@dataclass(frozen=True)
class Outcome:
    """The sealed model's answers with everything that is derived from them.

    Attributes:
        manifest: without what could not be read.
        answers: for the validation and test parts.
        split: the part whose figures count.
        seed: of the bootstrap.
    """

    manifest: Manifest
    answers: Answers
    split: Split
    seed: int

    @cached_property
    def metrics(self) -> Metrics:
        """Figures of the part that counts."""
        return self.answers.metrics(self.split, self.seed)

    def ece_before(self, temperature: float) -> float:
        """The calibration error that the same answers would have without the temperature."""
        places = self.answers.of(self.split)
        probabilities = self.answers.probabilities[places]
        return uncalibrated_error(self.answers.truth[places], probabilities, temperature)

    def figures(self, seconds: dict[str, float], engine: str, **more: Any) -> dict[str, Any]:
        """The content of `metrics.json`; ``more`` is added at its end."""
        return {
            **self.metrics.to_json(),
            "root": str(self.manifest.root.absolute()),
            "images": {split: len(self.manifest.of(split)) for split in ("train", "val", "test")},
            "engine": engine,
            "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
            "skipped": [skipped_json(s) for s in self.manifest.skipped],
            "warnings": [skipped_json(s) for s in self.manifest.warnings],
            **more,
        }

    def write(self, directory: Path, content: Mapping[str, Any]) -> None:
        """Writes `predictions.csv`, `report.html` and `model_card.md`.

        Args:
            directory: where to.
            content: what the page shows beside the answers, as :class:`ReportContent` takes it.
        """
        rows = self.answers.rows()
        page = ReportContent(manifest=self.manifest, metrics=self.metrics, rows=rows, **content)
        write_report(directory / "report.html", page)
        write_text(directory / "model_card.md", model_card(page))
        several = () if self.answers.thresholds is None else self.answers.labels
        write_predictions(directory / "predictions.csv", rows, several)

    def headline(self) -> dict[str, Any]:
        """The figures that the sealed model carries in its metadata."""
        figures = {name: asdict(getattr(self.metrics, name)) for name in self.metrics.headline}
        return {"split": self.split, **figures}


def skipped_json(skipped: Skipped) -> dict[str, str]:
    """A file that was left out, as `metrics.json` lists it."""
    return {"path": skipped.path, "reason": english(skipped.reason, **skipped.reason_values)}


def versions(*more: str) -> dict[str, str]:
    """The versions that a result depends on, with those of ``more`` packages that are installed."""
    packages = ("numpy", "scipy", "pillow", "onnx", "onnxruntime", "openvino", *more)
    found: dict[str, str] = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return {"eyebright": __version__, "python": platform.python_version(), **found}

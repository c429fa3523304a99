"""How the model came about: what was compared, the parity check of the sealed file, and the time spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eyebright.report.charts.interval import interval_dot, plain_bar
from eyebright.report.content import Choice, ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.text.format import number
from eyebright.text.language import translate


@dataclass(frozen=True)
class CandidateTable:
    """Candidates, each with its chart, on one scale from ``low`` to ``high``.

    ``excess`` says whether their log loss beside the selected one's is known.
    """

    rows: Sequence[tuple[Choice, Markup]]
    low: float
    high: float
    excess: bool


@dataclass(frozen=True)
class StageTime:
    """A stage of a run with its seconds, and a bar of its share of all."""

    name: str
    seconds: float
    chart: Markup


def selection(content: ReportContent) -> Section | None:
    """Return every candidate with its cross-validated accuracy."""
    if not content.probe_candidates:
        return None
    body = render(
        "sections/selection.html",
        intro=translate(
            "Compared by cross-validation within the training split. The images behind the metrics "
            "above played no part."
        ),
        caption=translate("Candidates compared"),
        compared=_compared(content.probe_candidates),
        reasons=() if content.finetune_candidates else content.reasons,
    )
    return Section("choices", translate("Selection of input size and feature layers"), body)


def finetuning(content: ReportContent) -> Section | None:
    """Return the linear probe against fine-tuning of some or all blocks, and why one was selected."""
    if not content.finetune_candidates:
        return None
    body = render(
        "sections/selection.html",
        intro=translate(
            "Fine-tuning more of the backbone helps it fit images unlike its pretraining data. The "
            "candidates are compared on holdout images of the training split; the images behind the "
            "metrics above were not used."
        ),
        caption=translate("Depth of fine-tuning"),
        compared=_compared(content.finetune_candidates),
        reasons=content.reasons,
    )
    return Section("tuning", translate("Fine-tuning vs. linear probe"), body)


def parity_check(content: ReportContent) -> Section | None:
    """Return how far the sealed model's predictions lie from the training pipeline's."""
    parity = content.parity
    if parity is None:
        return None
    same = translate("{same} of {count}", same=number(parity.same_class), count=number(parity.images))
    body = render("sections/parity.html", parity=parity, same=same)
    return Section("proof", translate("Parity check"), body)


def time_spent(content: ReportContent) -> Section | None:
    """Return the seconds by stage as bars."""
    steps = {key: seconds for key, seconds in content.seconds.items() if key != "total"}
    if not steps:
        return None
    total = content.seconds.get("total", sum(steps.values()))
    rows = [
        StageTime(stage_name(key), seconds, plain_bar(seconds / total if total else 0.0))
        for key, seconds in steps.items()
    ]
    return Section("time", translate("Time spent"), render("sections/stages.html", rows=rows, total=total))


def stage_name(stage: str) -> str:
    """Return what a stage of a run, a key of the seconds in `metrics.json`, is called."""
    names = {
        "scan": translate("Reading the dataset"),
        "engine": translate("Engine selection"),
        "selection": translate("Selection of input size and feature layers"),
        "features": translate("Features"),
        "head": translate("Classification head"),
        "curve": translate("Learning curve"),
        "finetune": translate("Fine-tuning"),
        "search": translate("Search"),
        "seal": translate("Sealing the model"),
        "evaluate": translate("Evaluation"),
        "parity": translate("Parity check"),
        "compare": translate("Comparison with the baseline"),
        "decide": translate("Operating points"),
        "foreign": translate("OOD images"),
        "ood": translate("OOD images"),
        "robustness": translate("Robustness to image corruption"),
        "slices": translate("Accuracy by slice"),
        "heatmaps": translate("Heat maps and embedding map"),
        "report": translate("Report"),
    }
    return names.get(stage, stage)


def _compared(candidates: Sequence[Choice]) -> CandidateTable:
    low = min(c.accuracy.low for c in candidates)
    high = max(c.accuracy.high for c in candidates)
    rows = [(c, interval_dot(c.accuracy, low, high, c.chosen)) for c in candidates]
    return CandidateTable(rows, low, high, any(c.excess is not None for c in candidates))

"""How the model came about: what was compared, the proof of the sealed file, and where the time went."""

from __future__ import annotations

from collections.abc import Sequence

from eyebright.report.charts.interval import interval_dot, plain_bar
from eyebright.report.content import Choice, ReportContent
from eyebright.report.markup import (
    Section,
    duration,
    name,
    number,
    paragraph,
    percent,
    percent_range,
    table,
    terms,
    text,
)
from eyebright.text.language import translate


def choices(content: ReportContent) -> Section | None:
    """Every way that was tried, with its cross-validated accuracy."""
    if not content.choices:
        return None
    intro = paragraph(
        translate(
            "Compared by cross-validation within the training split. The images behind the metrics "
            "above played no part."
        )
    )
    grid = _compared(content.choices, translate("Candidates compared"))
    return Section("choices", translate("Selection of input size and feature layers"), intro + grid)


def tunings(content: ReportContent) -> Section | None:
    """The head alone against the last units and everything, and why one of them was taken."""
    if not content.tunings:
        return None
    intro = translate(
        "Fine-tuning more of the backbone helps it fit images unlike its pretraining data. The "
        "candidates are compared on holdout images of the training split; the images behind the "
        "metrics above were not used."
    )
    grid = _compared(content.tunings, translate("Depth of fine-tuning"))
    body = paragraph(intro) + grid + "".join(paragraph(reason) for reason in content.reasons)
    return Section("tuning", translate("Fine-tuning vs. linear probe"), body)


def proof(content: ReportContent) -> Section | None:
    """How far the sealed file's answers lie from the training pipeline's."""
    parity = content.parity
    if parity is None:
        return None
    same = translate("{same} of {count}", same=number(parity.same_class), count=number(parity.images))
    intro = translate("The sealed model was run on raw images and compared with the training pipeline.")
    figures = [
        (translate("Same class predicted"), same),
        (translate("Largest probability difference"), f"{parity.largest_difference:.4f}"),
        (translate("Mean probability difference"), f"{parity.mean_difference:.5f}"),
    ]
    title = translate("Parity check")
    return Section("proof", title, paragraph(intro) + terms(figures))


def stages(content: ReportContent) -> Section | None:
    """Seconds by stage as bars."""
    parts = {key: seconds for key, seconds in content.seconds.items() if key != "total"}
    if not parts:
        return None
    total = content.seconds.get("total", sum(parts.values()))
    rows = [
        [name(key), text(duration(seconds)), plain_bar(seconds / total if total else 0.0)]
        for key, seconds in parts.items()
    ]
    rows.append([text(translate("Total")), text(duration(total)), ""])
    head = [text(translate("Stage")), text(translate("Time")), ""]
    return Section(
        "time",
        translate("Time spent"),
        table(translate("Time by stage"), head, rows, "stages"),
    )


def _compared(candidates: Sequence[Choice], caption: str) -> str:
    """Accuracies with their intervals, on one scale."""
    low = min(c.accuracy.low for c in candidates)
    high = max(c.accuracy.high for c in candidates)
    rows = []
    for c in candidates:
        mark = f' <span class="mark">✓ {text(translate("selected"))}</span>' if c.chosen else ""
        between = f'<small class="between">{percent_range(c.accuracy)}</small>'
        figure = f"<b>{percent(c.accuracy.value)}</b> {between}"
        rows.append([f"{name(c.name)}{mark}", figure, interval_dot(c.accuracy, low, high, c.chosen)])
    ends = "".join(f"<span>{percent(end, 0)}</span>" for end in (low, high))
    scale = f'<span class="scale">{ends}</span>'
    head = [text(translate("Candidate")), text(translate("Accuracy")), scale]
    return table(caption, head, rows, "choices")

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
            "Compared by cross-validation inside the training part alone. The images that the figures above "
            "come from had no say."
        )
    )
    grid = _compared(content.choices, translate("What was tried"))
    return Section("choices", translate("How size and layers were chosen"), intro + grid)


def tunings(content: ReportContent) -> Section | None:
    """The head alone against the last units and everything, and why one of them was taken."""
    if not content.tunings:
        return None
    intro = translate(
        "The more of the network learns, the better it can fit images unlike those that it knows. Compared "
        "on images held out of the training part. The images that the figures above come from had no say."
    )
    grid = _compared(content.tunings, translate("How much of the network learned"))
    body = paragraph(intro) + grid + "".join(paragraph(reason) for reason in content.reasons)
    return Section("tuning", translate("Was it worth training the network itself"), body)


def proof(content: ReportContent) -> Section | None:
    """How far the sealed file's answers lie from the training pipeline's."""
    parity = content.parity
    if parity is None:
        return None
    same = translate("{same} of {count}", same=number(parity.same_class), count=number(parity.images))
    intro = translate(
        "The sealed file was run on raw images and compared with the pipeline that it was trained in."
    )
    figures = [
        (translate("Same class"), same),
        (translate("Largest difference of a probability"), f"{parity.largest_difference:.4f}"),
        (translate("Mean difference"), f"{parity.mean_difference:.5f}"),
    ]
    title = translate("Proof of the model file")
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
    rows.append([text(translate("Together")), text(duration(total)), ""])
    head = [text(translate("Stage")), text(translate("Time")), ""]
    return Section(
        "time",
        translate("Where the time went"),
        table(translate("Time by stage"), head, rows, "stages"),
    )


def _compared(candidates: Sequence[Choice], caption: str) -> str:
    """Accuracies with their intervals, on one scale."""
    low = min(c.accuracy.low for c in candidates)
    high = max(c.accuracy.high for c in candidates)
    rows = []
    for c in candidates:
        mark = f' <span class="mark">✓ {text(translate("chosen"))}</span>' if c.chosen else ""
        between = f'<small class="between">{percent_range(c.accuracy)}</small>'
        figure = f"<b>{percent(c.accuracy.value)}</b> {between}"
        rows.append([f"{name(c.name)}{mark}", figure, interval_dot(c.accuracy, low, high, c.chosen)])
    ends = "".join(f"<span>{percent(end, 0)}</span>" for end in (low, high))
    scale = f'<span class="scale">{ends}</span>'
    head = [text(translate("Tried")), text(translate("Accuracy")), scale]
    return table(caption, head, rows, "choices")

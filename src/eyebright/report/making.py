"""How the model came about: what was compared, the proof of the sealed file, and where the time went."""

from __future__ import annotations

from eyebright.language import translate
from eyebright.report.charts_interval import interval_dot, plain_bar
from eyebright.report.content import ReportContent
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
from eyebright.types import Lang


def choices(content: ReportContent, lang: Lang) -> Section | None:
    """Every way that was tried, with its cross-validated accuracy."""
    if not content.choices:
        return None
    low = min(c.accuracy.low for c in content.choices)
    high = max(c.accuracy.high for c in content.choices)
    rows = []
    for c in content.choices:
        mark = f' <span class="mark">✓ {text(translate("chosen", lang))}</span>' if c.chosen else ""
        between = f'<small class="between">{percent_range(c.accuracy, lang)}</small>'
        figure = f"<b>{percent(c.accuracy.value, lang)}</b> {between}"
        rows.append([f"{name(c.name)}{mark}", figure, interval_dot(c.accuracy, low, high, c.chosen)])
    ends = "".join(f"<span>{percent(end, lang, 0)}</span>" for end in (low, high))
    scale = f'<span class="scale">{ends}</span>'
    head = [text(translate("Tried", lang)), text(translate("Accuracy", lang)), scale]
    intro = paragraph(
        translate(
            "Compared by cross-validation inside the training part alone. The images that the figures above "
            "come from had no say.",
            lang,
        )
    )
    grid = table(translate("What was tried", lang), head, rows, "choices")
    return Section("choices", translate("How size and layers were chosen", lang), intro + grid)


def proof(content: ReportContent, lang: Lang) -> Section | None:
    """How far the sealed file's answers lie from the training pipeline's."""
    parity = content.parity
    if parity is None:
        return None
    same = translate("{same} of {count}", lang, same=number(parity.same_class), count=number(parity.images))
    intro = translate(
        "The sealed file was run on raw images and compared with the pipeline that it was trained in.", lang
    )
    figures = [
        (translate("Same class", lang), same),
        (translate("Largest difference of a probability", lang), f"{parity.largest_difference:.4f}"),
        (translate("Mean difference", lang), f"{parity.mean_difference:.5f}"),
    ]
    title = translate("Proof of the model file", lang)
    return Section("proof", title, paragraph(intro) + terms(figures))


def stages(content: ReportContent, lang: Lang) -> Section | None:
    """Seconds by stage as bars."""
    parts = {key: seconds for key, seconds in content.seconds.items() if key != "total"}
    if not parts:
        return None
    total = content.seconds.get("total", sum(parts.values()))
    rows = [
        [name(key), text(duration(seconds, lang)), plain_bar(seconds / total if total else 0.0)]
        for key, seconds in parts.items()
    ]
    rows.append([text(translate("Together", lang)), text(duration(total, lang)), ""])
    head = [text(translate("Stage", lang)), text(translate("Time", lang)), ""]
    return Section(
        "time",
        translate("Where the time went", lang),
        table(translate("Time by stage", lang), head, rows, "stages"),
    )

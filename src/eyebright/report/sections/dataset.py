"""What the model was made of: images by class and part, their sizes, and what was left out and why."""

from __future__ import annotations

from statistics import median_low
from typing import get_args

from eyebright.data.manifest import Manifest
from eyebright.report.charts.interval import plain_bar
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, details, name, number, paragraph, part_name, table, terms, text
from eyebright.text.language import translate
from eyebright.types import Skipped, Split

_SHOWN_CLASSES = 20
_SHOWN_FILES = 100


def dataset(content: ReportContent) -> Section:
    """Counts, model, sizes, warnings and skipped files."""
    manifest = content.manifest
    trained = any(sample.split == "train" for sample in manifest.samples)
    title = translate("Data and model") if trained else translate("Evaluation data")
    body = (
        terms(_summary(content))
        + _counts(manifest)
        + _left_out(manifest.warnings, translate("Warnings: {count}", count=len(manifest.warnings)))
        + _left_out(
            manifest.skipped, translate("{count:skipped file|skipped files}", count=len(manifest.skipped))
        )
    )
    return Section("data", title, body)


def _summary(content: ReportContent) -> list[tuple[str, str]]:
    manifest = content.manifest
    pairs = [
        (translate("Images"), number(len(manifest.samples))),
        (translate("Classes"), number(len(content.metrics.labels))),
        (translate("Image size"), _sizes(manifest)),
        (translate("Backbone"), content.backbone),
        (translate("Feature layers"), content.layers),
        (translate("Input size"), _pixels(content.size, content.size)),
        (translate("Engine"), content.engine),
    ]
    return [(term, value) for term, value in pairs if value]


def _sizes(manifest: Manifest) -> str:
    """The common size, or the smallest, the middle and the largest by area."""
    sizes = sorted({(s.width * s.height, s.width, s.height) for s in manifest.samples})
    if not sizes:
        return ""
    if len(sizes) == 1:
        return _pixels(*sizes[0][1:])
    middle = median_low((s.width * s.height, s.width, s.height) for s in manifest.samples)
    low, half, high = (_pixels(w, h) for _, w, h in (sizes[0], middle, sizes[-1]))
    return translate("{low} to {high}, median {middle}", low=low, high=high, middle=half)


def _pixels(width: int, height: int) -> str:
    return f"{width}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{height}\N{NO-BREAK SPACE}px"


def _counts(manifest: Manifest) -> str:
    counts = manifest.counts()
    splits = [split for split in get_args(Split) if manifest.of(split)]
    totals = {label: sum(counts[split][label] for split in splits) for label in manifest.labels}
    most = max(totals.values(), default=1)
    rows = [
        [name(label), *(number(counts[split][label]) for split in splits), plain_bar(totals[label] / most)]
        for label in manifest.labels
    ]
    whole = [number(len(manifest.of(split))) for split in splits]
    rows.append([text(translate("Total")), *whole, ""])
    head = [text(translate("Class")), *(text(part_name(split)) for split in splits), ""]
    caption = translate("Images by class and split")
    counted = table(caption, head, rows, "counts")
    if len(manifest.labels) <= _SHOWN_CLASSES:
        return counted
    return details(translate("Images by class and split: {count:class|classes}", count=len(totals)), counted)


def _left_out(files: tuple[Skipped, ...], title: str) -> str:
    if not files:
        return ""
    # The reasons' templates stand where the files are read.
    items = "".join(
        f"<li><code>{name(s.path)}</code> {text(translate(s.reason, **s.reason_values))}</li>"
        for s in files[:_SHOWN_FILES]
    )
    rest = len(files) - _SHOWN_FILES
    more = paragraph(translate("And {count} more.", count=number(rest))) if rest > 0 else ""
    return details(title, f'<ul class="files">{items}</ul>{more}')

"""What the model was made of: images by class and split, their sizes, and the skipped files with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from eyebright.data.manifest import SPLITS, Manifest
from eyebright.report.charts.interval import plain_bar
from eyebright.report.content import ReportContent
from eyebright.report.document import Section
from eyebright.report.templating import render
from eyebright.runtime.compact.rows import values
from eyebright.text.format import number, split_name
from eyebright.text.language import translate
from eyebright.types import Skipped, Split

_FOLDED_FROM = 20
_SHOWN_FILES = 100


@dataclass(frozen=True)
class ClassCounts:
    """A class with its images in each split, and a bar of all of them."""

    label: str
    counts: Sequence[int]
    chart: Markup


@dataclass(frozen=True)
class ListedFile:
    """A file with what there is to say about it."""

    path: str
    reason: str


@dataclass(frozen=True)
class DatasetCounts:
    """Images by class and split.

    Attributes:
        splits: those that have images.
        rows: a class each.
        totals: (S,) images of each split.
        folded: whether there are so many classes that they show on demand.
    """

    splits: Sequence[Split]
    rows: Sequence[ClassCounts]
    totals: Sequence[int]
    folded: bool


def dataset(content: ReportContent) -> Section:
    """Return counts, model, sizes, warnings and skipped files."""
    manifest = content.manifest
    trained = any(split == "train" for split in values(manifest.samples, "split"))
    title = translate("Data and model") if trained else translate("Evaluation data")
    body = render(
        "sections/dataset.html",
        terms=_summary(content),
        counts=_counts(manifest),
        warnings=[_file(file) for file in manifest.warnings],
        skipped=[_file(file) for file in manifest.skipped],
        shown=_SHOWN_FILES,
    )
    return Section("data", title, body)


def _file(skipped: Skipped) -> ListedFile:
    # The reasons' templates stand where the files are read.
    return ListedFile(skipped.path, translate(skipped.reason, **skipped.reason_values))


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
    facts = manifest.facts
    pairs += [
        (
            translate("Taken ({split})", split=split_name(split)),
            translate("{low} to {high}", low=period.first, high=period.last),
        )
        for split, period in (facts.periods.items() if facts is not None else ())
    ]
    if (weights := manifest.training_weights) is not None:
        words = translate(
            "{low} to {high}, as much as {count:image|images} of equal weight; metrics count every image "
            "once",
            low=f"{weights.lowest:g}",
            high=f"{weights.highest:g}",
            count=round(weights.equal_images),
        )
        pairs.append((translate("Weights in training"), words))
    if facts is not None and facts.folds:
        pairs.append((translate("Folds of the cross-validation"), number(facts.folds)))
    if facts is not None and facts.near_groups:
        kept = translate(
            "{count:image|images} in {groups:group|groups}, each kept in one split",
            count=facts.near_duplicates,
            groups=facts.near_groups,
        )
        pairs.append((translate("Near duplicates"), kept))
    return [(term, value) for term, value in pairs if value]


def _sizes(manifest: Manifest) -> str:
    """Return the common size, or the smallest, the middle and the largest by area."""
    known = Counter(values(manifest.samples, "width", "height"))
    sizes = sorted((width * height, width, height) for width, height in known)
    if not sizes:
        return ""
    if len(sizes) == 1:
        return _pixels(*sizes[0][1:])
    ends = accumulate(known[size[1:]] for size in sizes)
    half = (len(manifest.samples) - 1) // 2
    middle = next(size for size, end in zip(sizes, ends, strict=True) if end > half)
    low, median, high = (_pixels(w, h) for _, w, h in (sizes[0], middle, sizes[-1]))
    return translate("{low} to {high}, median {middle}", low=low, high=high, middle=median)


def _pixels(width: int, height: int) -> str:
    return f"{width}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{height}\N{NO-BREAK SPACE}px"


def _counts(manifest: Manifest) -> DatasetCounts:
    counts = manifest.counts()
    splits = [split for split in SPLITS if manifest.of(split)]
    totals = {label: sum(counts[split][label] for split in splits) for label in manifest.labels}
    most = max(totals.values(), default=1)
    rows = [
        ClassCounts(label, [counts[split][label] for split in splits], plain_bar(totals[label] / most))
        for label in manifest.labels
    ]
    whole = [len(manifest.of(split)) for split in splits]
    return DatasetCounts(splits, rows, whole, folded=len(rows) > _FOLDED_FROM)

"""Pictures: the worst mistakes with a filter, and examples of each class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, islice

from eyebright.evaluation.multiclass.results import PredictionRow
from eyebright.report.content import ReportContent
from eyebright.report.markup import Section, name, number, paragraph, percent, text
from eyebright.report.sections.heatmap import legend, pair
from eyebright.report.thumbnails import Thumbnail, thumbnails
from eyebright.text.language import translate

_MISTAKES = 96
_MISTAKE_PX = 224
_EXAMPLES = 120
_EXAMPLES_PER_CLASS = 4
_EXAMPLE_PX = 160


def mistakes(content: ReportContent) -> Section:
    """The mistakes that the model was surest of, each with its picture."""
    title = translate("Most confident mistakes")
    wrong = surest_mistakes(content.evaluated)
    if not wrong:
        return Section("mistakes", title, paragraph(translate("No image was misclassified."), "note"))
    shown = _chosen(wrong)
    pictures = thumbnails(content.manifest.root, [r.path for r in shown], _MISTAKE_PX)
    cards = "".join(
        _mistake(r, picture, content.heatmaps.get(r.path)) for r, picture in zip(shown, pictures, strict=True)
    )
    intro = (
        translate("{count:mistake|mistakes}, most confident first.", count=number(len(wrong)))
        if len(wrong) <= _MISTAKES
        else translate(
            "Showing {shown} of {count:mistake|mistakes}, including the most confident of each kind; "
            "predictions.csv lists all predictions.",
            shown=len(shown),
            count=number(len(wrong)),
        )
    )
    explained = _heat_in_words() if content.heatmaps else ""
    gallery = f'{_filter(shown)}<ul class="gallery" id="gallery">{cards}</ul>{viewer()}'
    return Section("mistakes", title, paragraph(intro) + explained + gallery)


def surest_mistakes(rows: Iterable[PredictionRow]) -> list[PredictionRow]:
    """The rows that were named wrong, the surest first."""
    return sorted((r for r in rows if r.predicted != r.label), key=lambda r: (-r.confidence, r.path))


def examples(content: ReportContent) -> Section | None:
    """A few images of each class that were named right, from the surest to the least sure."""
    right = sorted(
        (r for r in content.evaluated if r.predicted == r.label), key=lambda r: (r.label, -r.confidence)
    )
    if not right:
        return None
    each = max(1, min(_EXAMPLES_PER_CLASS, _EXAMPLES // len(content.metrics.labels)))
    chosen = {label: _spread(list(rows), each) for label, rows in groupby(right, lambda r: r.label)}
    listed = list(chosen.items())[:_EXAMPLES]
    paths = [row.path for _, rows in listed for row in rows]
    pictures = iter(thumbnails(content.manifest.root, paths, _EXAMPLE_PX))
    groups = "".join(
        f"<li><h3>{name(label)}</h3>"
        f'<ul class="strip">{"".join(_example(row, next(pictures)) for row in rows)}</ul></li>'
        for label, rows in listed
    )
    intro = translate("Correct predictions, from most to least confident for each class.")
    if len(listed) < len(content.metrics.labels):
        few = translate(
            "Showing {shown} of {count:class|classes}.", shown=len(listed), count=len(content.metrics.labels)
        )
        intro = f"{intro} {few}"
    title = translate("Examples of each class")
    return Section("examples", title, f'{paragraph(intro)}<ul class="examples">{groups}</ul>')


def choice(key: str, title: str, labels: Iterable[str]) -> str:
    """One of the filter's choices, ``key`` being `true` or `named`, as the page's script knows them."""
    options = "".join(f'<option value="{text(x)}">{text(x)}</option>' for x in sorted(set(labels)))
    # An empty value would clash with a class without a name; the first option is told by its place.
    everything = f"<option>{text(translate('all'))}</option>"
    return f'<label>{text(title)} <select id="filter-{key}">{everything}{options}</select></label>'


def _heat_in_words() -> str:
    words = translate(
        "The first ones are shown with a heat map: what spoke for the predicted class, and what "
        "spoke against it."
    )
    return paragraph(words) + legend(True)


def _mistake(row: PredictionRow, picture: Thumbnail, heat: str | None) -> str:
    description = translate(
        "{label} predicted as {predicted}: {path}",
        label=row.label,
        predicted=row.predicted,
        path=row.path,
    )
    sure = translate("confidence {percent}", percent=percent(row.confidence, 0))
    shown, wide = f'<button type="button" class="picture">{picture.html(description)}</button>', ""
    if heat is not None:
        evidence = translate("Heat map of {path} for class {label}", path=row.path, label=row.predicted)
        shown, wide = pair(shown, heat, evidence), ' class="wide"'
    return (
        f'<li{wide} data-true="{text(row.label)}" data-named="{text(row.predicted)}"><figure>'
        f"{shown}<figcaption>"
        f'<span class="said">{name(row.predicted)}</span> '
        f'<span class="sure">{text(sure)}</span>'
        f'<span class="truth"><i>{text(translate("true"))}</i> {name(row.label)}</span>'
        f'<span class="path" title="{text(row.path)}">{name(row.path.rpartition("/")[2])}</span>'
        "</figcaption></figure></li>"
    )


def _chosen(wrong: Sequence[PredictionRow]) -> Sequence[PredictionRow]:
    """The surest mistakes, but first one of each kind, so that every confusion can be looked at."""
    first = {(row.label, row.predicted): row for row in reversed(wrong)}
    kinds = {row.path for row in sorted(first.values(), key=lambda r: -r.confidence)[:_MISTAKES]}
    others = (row.path for row in wrong if row.path not in kinds)
    kept = kinds.union(islice(others, _MISTAKES - len(kinds)))
    return [row for row in wrong if row.path in kept]


def viewer() -> str:
    """A dialog that shows one mistake large and walks through those in sight; opened by the page's script."""
    names = {
        "previous": ("\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", translate("Previous mistake")),
        "next": ("\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}", translate("Next mistake")),
        "close": ("\N{MULTIPLICATION SIGN}", translate("Close")),
    }
    buttons = "".join(
        f'<button type="button" data-do="{do}" aria-label="{text(title)}">{sign}</button>'
        for do, (sign, title) in names.items()
    )
    label = text(translate("Mistake details"))
    return f'<dialog id="viewer" aria-label="{label}"><div id="viewed"></div><p>{buttons}</p></dialog>'


def _example(row: PredictionRow, picture: Thumbnail) -> str:
    description = translate("{label}: {path}", label=row.label, path=row.path)
    sure = percent(row.confidence, 0)
    return f"<li><figure>{picture.html(description)}<figcaption>{text(sure)}</figcaption></figure></li>"


def _filter(rows: Sequence[PredictionRow]) -> str:
    """Two choices and a count, shown by the page's script; without it all pictures stay in sight."""
    truth = choice("true", translate("True class"), (r.label for r in rows))
    named = choice("named", translate("Predicted"), (r.predicted for r in rows))
    return (
        f'<form class="filter" id="filter" hidden>{truth}{named}'
        f'<output id="shown" data-text="{text(translate("{shown} of {count} shown"))}"></output></form>'
    )


def _spread(rows: Sequence[PredictionRow], count: int) -> list[PredictionRow]:
    """``count`` rows, evenly apart, the first and the last among them."""
    if len(rows) <= count:
        return list(rows)
    return [rows[i * (len(rows) - 1) // max(count - 1, 1)] for i in range(count)]

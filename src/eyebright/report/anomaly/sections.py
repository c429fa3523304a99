"""Sections of the report on anomaly detection: figures, kinds, pictures with maps, and ways to score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from eyebright.report.anomaly.outcome import AnomalyOutcome, KindRecall, ScoredImage
from eyebright.report.charts.interval import interval_bar
from eyebright.report.document import Section
from eyebright.report.summary.metric_card import MetricCard, decimal_card, share_card
from eyebright.report.templating import render
from eyebright.report.thumbnails import Thumbnail
from eyebright.text.format import measured_on, number, percent
from eyebright.text.language import translate
from eyebright.types import Split


@dataclass(frozen=True)
class AnomalyTile:
    """An image with its thumbnail."""

    image: ScoredImage
    thumbnail: Thumbnail


@dataclass(frozen=True)
class AnomalyKindRow:
    """A kind of anomaly with a chart of its recall."""

    kind: KindRecall
    chart: Markup


def anomaly_sections(outcome: AnomalyOutcome, split: Split) -> list[Section | None]:
    """Return the sections, the figures first.

    Args:
        outcome: of the training.
        split: the evaluated one.
    """
    return [
        _figures(outcome, split),
        _kinds(outcome),
        _gallery(
            "missed",
            translate("Missed anomalies"),
            translate("Anomalies below the limit, those with the lowest score first."),
            outcome.missed,
        ),
        _gallery(
            "hardest",
            translate("Hardest good images"),
            translate("Good images with the highest scores; from 1 on it is a false alarm."),
            outcome.hardest,
        ),
        _gallery(
            "found",
            translate("Anomalies that were found"),
            translate("Those nearest to the limit first."),
            outcome.found,
        ),
        _gallery(
            "suspects",
            translate("Training images to look at"),
            translate(
                "Images among the good ones that are very unlike the others, scored by detectors that did "
                "not learn from them. If they are defects, move them out and train again."
            ),
            outcome.suspects,
        ),
        _ways(outcome),
    ]


def _figures(outcome: AnomalyOutcome, split: Split) -> Section:
    cards: list[MetricCard] = []
    if outcome.auroc is not None:
        meaning = translate("chance that an anomaly scores higher than a good image")
        cards.append(decimal_card(translate("AUROC"), outcome.auroc, meaning))
    if outcome.false_alarms is not None:
        meaning = translate(
            "good images above the limit: {alarms} of {count}",
            alarms=number(outcome.alarms),
            count=number(outcome.good),
        )
        cards.append(share_card(translate("False alarms"), outcome.false_alarms, meaning))
    if outcome.recall is not None:
        meaning = translate("anomalies above the limit, of {count}", count=number(outcome.anomalies))
        cards.append(share_card(translate("Recall"), outcome.recall, meaning))
    body = render(
        "anomaly/figures.html",
        basis=translate("{what}.", what=measured_on(split, outcome.good + outcome.anomalies)),
        cards=cards,
        limit=_limit(outcome),
    )
    return Section("figures", translate("Key metrics"), body)


def _limit(outcome: AnomalyOutcome) -> list[str]:
    """Return sentences on the limit and on what would show the rate."""
    limit = outcome.limit
    where = (
        translate("by cross-validation within the training split")
        if limit.chosen_on == "train"
        else translate("on the validation split")
    )
    said = [
        translate(
            "The score is 1 at the limit. The limit was set for {target}, {where}, on {good:good image|good "
            "images} and {anomalies:anomaly|anomalies}.",
            target=limit.target,
            where=where,
            good=limit.good,
            anomalies=limit.anomalies,
        )
    ]
    if limit.needed is not None and limit.rate is not None:
        said.append(
            translate(
                "To show at most {rate} false alarms takes {needed} good images without a false alarm.",
                rate=percent(limit.rate),
                needed=number(limit.needed),
            )
        )
    return said


def _kinds(outcome: AnomalyOutcome) -> Section | None:
    if not outcome.kinds:
        return None
    rows = [AnomalyKindRow(kind, interval_bar(kind.recall)) for kind in outcome.kinds]
    return Section("kinds", translate("Kinds of anomalies"), render("anomaly/kinds.html", rows=rows))


def _gallery(anchor: str, title: str, intro: str, images: Sequence[ScoredImage]) -> Section | None:
    if not images:
        return None
    lost = translate("The file no longer exists.")
    tiles = [AnomalyTile(one, Thumbnail(one.picture, "" if one.picture else lost)) for one in images]
    return Section(anchor, title, render("anomaly/gallery.html", intro=intro, tiles=tiles))


def _ways(outcome: AnomalyOutcome) -> Section:
    kinds = sorted({kind for way in outcome.ways for kind in way.kinds})
    names = {
        "pasted": translate("pasted piece"),
        "noisy spot": translate("noisy spot"),
        "blurred spot": translate("blurred spot"),
        "scratch": translate("scratch"),
        "noise": translate("noise everywhere"),
        "blur": translate("blur everywhere"),
        "labelled": translate("labelled anomalies"),
    }
    body = render("anomaly/ways.html", ways=outcome.ways, kinds=kinds, names=[names[kind] for kind in kinds])
    return Section("choices", translate("Ways to score"), body)

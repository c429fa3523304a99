"""The page of a pretraining: the signs of health by epoch, and how the views were chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from eyebright.report.charts.axis import linear_axis
from eyebright.report.charts.curve import Line, curve_chart
from eyebright.report.document import Section, document
from eyebright.report.templating import render
from eyebright.runtime.atomic import write_text
from eyebright.text.format import percent
from eyebright.text.language import translate
from eyebright.training.pretrain.augment_check import AugmentCheck
from eyebright.training.pretrain.history import PretrainRow
from eyebright.training.pretrain.loop import Pretrained
from eyebright.training.pretrain.recipe import PretrainRecipe
from eyebright.verbs.pretrain.result import signs


@dataclass(frozen=True)
class HealthChart:
    """A small chart with its title."""

    title: str
    chart: Markup


def write_pretrain_page(
    path: Path,
    title: str,
    result: Pretrained,
    recipe: PretrainRecipe,
    check: AugmentCheck | None,
    classes: bool,
) -> None:
    """Write the page to ``path``, whole or not at all.

    Args:
        path: where to.
        title: plain text.
        result: the training.
        recipe: its settings.
        check: how the augmentation was chosen; None where it was given.
        classes: whether the images lie in folders whose names neighbours were asked for.

    Raises:
        StorageError: the disk is full or must not be written.
    """
    sections = [_health(result, classes), _settings(recipe, result)]
    if check is not None:
        sections.insert(1, _views(check))
    head = render("verdict.html", sentences=[_verdict(result), *result.notes])
    write_text(path, document(title, head, sections))


def _verdict(result: Pretrained) -> str:
    return translate(
        "The backbone after epoch {epoch} was kept. Whether it is better than before, only labelled images "
        "can tell: `eyebright train DATA --pretrain FOLDER` compares both.",
        epoch=result.epoch,
    )


def _health(result: Pretrained, classes: bool) -> Section:
    rows = result.history
    charts = [
        _chart(translate("Loss"), rows, lambda row: row.loss, lambda v: f"{v:.3g}"),
        _chart(translate("Effective rank of the features"), rows, lambda row: row.effective_rank, _short),
        _chart(translate("Effective rank of the projections"), rows, lambda row: row.projected_rank, _short),
        _chart(translate("Views recognised"), rows, lambda row: row.knn_consistency, _share),
    ]
    if classes:
        title = translate("Neighbours name the folder")
        charts.append(_chart(title, rows, lambda row: row.knn_accuracy, _share))
    kept = next(row for row in rows if row.epoch == result.epoch)
    body = render(
        "pretrain/health.html", charts=[c for c in charts if c is not None], signs=signs(rows[0], kept)
    )
    return Section("health", translate("Signs of health"), body)


def _views(check: AugmentCheck) -> Section:
    rows = [(trial.name, percent(trial.accuracy), trial.name == check.name) for trial in check.trials]
    body = render(
        "pretrain/views.html",
        rows=rows,
        by_labels=check.by_labels,
        mirror=check.augmentation.mirror,
        handedness=percent(check.handedness),
    )
    return Section("views", translate("How views may differ"), body)


def _settings(recipe: PretrainRecipe, result: Pretrained) -> Section:
    shown = {
        translate("Method"): recipe.method,
        translate("Images per step"): str(recipe.batch),
        translate("Views of each image"): str(recipe.views),
        translate("Blocks trained"): str(recipe.unfreeze),
        translate("Learning rate"): f"{recipe.lr:.2g}",
        translate("Steps"): str(result.steps),
        translate("Random seed"): str(recipe.seed),
    }
    if recipe.method == "simclr":
        shown[translate("Temperature")] = f"{recipe.temperature:g}"
    return Section("settings", translate("Settings"), render("pretrain/settings.html", settings=shown))


def _chart(
    title: str,
    rows: Sequence[PretrainRow],
    value: Callable[[PretrainRow], float],
    written: Callable[[float], str],
) -> HealthChart | None:
    """Return one small chart; None where there is no finite value."""
    points = [(row.epoch, value(row)) for row in rows]
    seen = [y for _, y in points if math.isfinite(y)]
    if not seen:
        return None
    epochs = linear_axis([x for x, _ in points], lambda v: f"{v:.0f}", whole=True)
    described = f"{title}: {written(seen[0])} → {written(seen[-1])}"
    return HealthChart(title, curve_chart([Line("", points)], epochs, linear_axis(seen, written), described))


def _short(value: float) -> str:
    return f"{value:.3g}"


def _share(value: float) -> str:
    return f"{100 * value:.4g}\N{NO-BREAK SPACE}%"

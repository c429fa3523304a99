"""The table that ends a training or an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, cast

from eyebright.report.display import ResultTable
from eyebright.report.metrics_content import (
    AnomalyContent,
    BaselineContent,
    IntervalContent,
    MetricsContent,
    OperatingPointContent,
)
from eyebright.report.summary.claims import claims
from eyebright.report.summary.findings import few_images
from eyebright.text.format import measured_on
from eyebright.text.language import translate
from eyebright.text.table import printable

_CLASSES = 5


class RunLike(Protocol):
    """A run to print."""

    @property
    def metrics(self) -> MetricsContent:
        """Return the content of `metrics.json`."""

    @property
    def model(self) -> Path:
        """Return the sealed model."""

    @property
    def report(self) -> Path:
        """Return the HTML page."""


def run_display(run: RunLike) -> Iterator[str | ResultTable]:
    """Yield headline metrics with their intervals, what they were measured on, and where the files are."""
    metrics = run.metrics
    split = metrics["split"]
    yield translate("{what}:", what=measured_on(split, metrics["images"][split]))
    found = metrics.get("anomaly")
    yield ResultTable(figure_rows(metrics) if found is None else anomaly_rows(found), right=(1,))
    if points := metrics.get("operating_points"):
        yield "\n".join(_operating(point) for point in points)
    if lines := [*_uncertainty(metrics), *_groups(metrics)]:
        yield "\n".join(lines)
    said = [claim.sentence for claim in claims(metrics)]
    said += few_images({label: c["support"] for label, c in metrics.get("per_class", {}).items()})
    if said:
        yield "\n".join(printable(sentence.replace("\N{NO-BREAK SPACE}", " ")) for sentence in said)
    if baseline := metrics.get("baseline"):
        yield ResultTable(_compared(baseline), right=(1, 2, 3))
        yield _difference(baseline)
    yield ResultTable(_places(run), head=False)


def figure_rows(metrics: MetricsContent) -> list[tuple[str, str, str]]:
    """Return the headline metrics as rows of name, value and interval, with a head."""
    several = "hamming_loss" in metrics
    names = {
        "accuracy": translate("Exact-match accuracy") if several else translate("Accuracy"),
        "hamming_loss": translate("Hamming loss"),
        "balanced_accuracy": (translate("Macro recall") if several else translate("Balanced accuracy")),
        "macro_f1": translate("Macro F1"),
        "micro_f1": translate("Micro F1"),
        "log_loss": translate("Log loss"),
        "ece": translate("Calibration error"),
    }
    head = ("", "", translate("95 % interval"))
    found = cast("Mapping[str, IntervalContent]", metrics)
    rows = [(text, *_figures(name, found[name])) for name, text in names.items() if name in found]
    if majority := metrics.get("majority"):
        label = printable(majority["label"]) or translate("no label")
        about = translate("always predicting {label}", label=label)
        rows.insert(1, (translate("Majority baseline"), f"{100 * majority['share']:.1f} %", about))
    return [head, *rows]


def anomaly_rows(found: AnomalyContent) -> list[tuple[str, str, str]]:
    """Return the metrics of anomaly detection as rows of name, value and interval, with a head."""
    rows = [("", "", translate("95 % interval"))]
    if found["auroc"] is not None:
        auroc = found["auroc"]
        limits = translate("{low} to {high}", low=f"{auroc['low']:.4f}", high=f"{auroc['high']:.4f}")
        rows.append((translate("AUROC"), f"{auroc['value']:.4f}", limits))
    named = [(translate("False alarms"), found["false_alarms"]), (translate("Recall"), found["recall"])]
    rows += [(name, *_figures("", interval)) for name, interval in named if interval is not None]
    for kind, figures in found["kinds"].items():
        name = translate("Recall of {label}", label=printable(kind))
        rows.append((name, *_figures("", figures["recall"])))
    return rows


def _figures(name: str, interval: IntervalContent) -> tuple[str, str]:
    value, low, high = interval["value"], interval["low"], interval["high"]
    if name == "log_loss":  # in nats, not a fraction
        return f"{value:.3f}", translate("{low} to {high}", low=f"{low:.3f}", high=f"{high:.3f}")
    between = translate("{low} to {high}", low=f"{100 * low:.1f}", high=f"{100 * high:.1f} %")
    return f"{100 * value:.1f} %", between


def _compared(baseline: BaselineContent) -> list[tuple[str, ...]]:
    """Return the rows of the model and its baseline."""
    head = ("", translate("accuracy"), "MB", translate("ms, one thread"))
    own = (baseline["accuracy"], baseline["size_bytes"], baseline["latency_ms"])
    other = (baseline["accuracy_baseline"], baseline["size_bytes_baseline"], baseline["latency_ms_baseline"])
    rows = [
        (text, f"{100 * accuracy:.1f} %", f"{size / 1e6:.2f}", f"{latency:.1f}")
        for text, (accuracy, size, latency) in (
            (translate("this model"), own),
            (translate("baseline"), other),
        )
    ]
    return [head, *rows]


def _difference(baseline: BaselineContent) -> str:
    gain = baseline["accuracy_difference"]
    return translate(
        "Accuracy difference: {value} percentage points ({low} to {high}).",
        value=f"{100 * gain['value']:+.1f}",
        low=f"{100 * gain['low']:+.1f}",
        high=f"{100 * gain['high']:+.1f}",
    )


def _operating(point: OperatingPointContent) -> str:
    """Return a target with its threshold, and what it gives on the evaluated split."""
    head = printable(point["target"])
    if point["value"] is None:
        return translate(
            "{target}: threshold {threshold}; no images here to measure it on.",
            target=head,
            threshold=f"{point['threshold']:.4f}",
        )
    value, between = _figures("", cast("IntervalContent", point))
    return translate(
        "{target}: threshold {threshold}, measured {value} ({between})",
        target=head,
        threshold=f"{point['threshold']:.4f}",
        value=value,
        between=between,
    )


def _uncertainty(metrics: MetricsContent) -> Iterator[str]:
    """Yield how many images are predicted as unknown, and the coverage of prediction sets."""
    if unknown := metrics.get("unknown"):
        value, between = _figures("", unknown["rejected"])
        yield translate(
            "Predicted as unknown: {value} of these images ({between})", value=value, between=between
        )
        if "auroc" in unknown:
            accepted, between = _figures("", unknown["accepted"])
            yield translate(
                "OOD images accepted as known: {value} ({between}); AUROC {auroc}",
                value=accepted,
                between=between,
                auroc=f"{unknown['auroc']['value']:.4f}",
            )
    if sets := metrics.get("conformal"):
        value, between = _figures("", sets["measured"])
        yield translate(
            "Prediction-set coverage: {value} ({between}; target {promised} %), mean size {size}",
            value=value,
            between=between,
            promised=f"{100 * sets['coverage']:g}",
            size=f"{sets['mean_set_size']:.2f}",
        )


def _groups(metrics: MetricsContent) -> Iterator[str]:
    """Yield how many groups there are, and how each class's groups are found."""
    if not (groups := metrics.get("groups")):
        return
    yield translate(
        "The images come in {count:group|groups}; intervals count groups, not images.", count=groups["count"]
    )
    for label, found in list(groups["classes"].items())[:_CLASSES]:
        shares = {
            rule: " / ".join(
                "–" if found[name][rule] is None else f"{100 * found[name][rule]['value']:.1f} %"
                for name in ("sensitivity", "specificity")
            )
            for rule in ("any", "mean", "vote")
        }
        yield translate(
            "Sensitivity / specificity by group, {label} ({positives} of {count:group|groups}): any image "
            "{any}, mean probability {mean}, majority vote {vote}",
            label=printable(label),
            positives=found["positives"],
            count=groups["count"],
            **shares,
        )


def _places(run: RunLike) -> list[tuple[str, str]]:
    rows = [
        (translate("Model"), printable(str(run.model))),
        (translate("Report"), printable(str(run.report))),
        (
            translate("Time"),
            translate("{seconds} s in total", seconds=f"{run.metrics['seconds']['total']:.1f}"),
        ),
    ]
    if skipped := len(run.metrics["skipped"]):
        rows.append(
            (
                translate("Skipped"),
                translate("{count:file|files}; metrics.json gives the reason for each", count=skipped),
            )
        )
    return rows

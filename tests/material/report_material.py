"""Content for report tests: real PNG files on disk, figures computed from the rows."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from eyebright.data.manifest import Manifest, Sample, joined
from eyebright.evaluation.multiclass.results import ClassMetrics, Metrics, PredictionRow, ReliabilityBin
from eyebright.evaluation.multilabel.metrics import measure_labels
from eyebright.report.content import Choice, RateSearch, ReportContent, TrainingCurves
from eyebright.sealed.parity import Parity
from eyebright.training.finetune.history import EpochRow
from eyebright.types import Interval, Skipped


def around(value: float) -> Interval:
    return Interval(value, max(value - 0.02, 0.0), min(value + 0.02, 1.0))


def measured(rows: list[PredictionRow], labels: tuple[str, ...]) -> Metrics:
    """Figures of the rows; the intervals are only as wide as a drawing needs."""
    place = {label: i for i, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    for row in rows:
        confusion[place[row.label], place[row.predicted]] += 1
    right = np.diag(confusion)
    recall = right / np.maximum(confusion.sum(axis=1), 1)
    precision = right / np.maximum(confusion.sum(axis=0), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    accuracy = float(right.sum() / len(rows))
    return Metrics(
        split="val",
        count=len(rows),
        labels=labels,
        accuracy=around(accuracy),
        balanced_accuracy=around(float(recall.mean())),
        macro_f1=around(float(f1.mean())),
        log_loss=Interval(0.25, 0.2, 0.3),
        ece=around(0.03),
        weighted_f1=around(float(f1.mean())),
        brier=around(0.1),
        top5=around(0.99) if len(labels) > 5 else None,
        kappa=around(0.8),
        matthews=around(0.8),
        roc_auc=around(0.97),
        average_precision=around(0.9),
        per_class=tuple(
            ClassMetrics(
                label,
                int(confusion[i].sum()),
                around(float(precision[i])),
                around(float(recall[i])),
                around(float(f1[i])),
                around(0.97),
                around(0.9),
            )
            for i, label in enumerate(labels)
        ),
        confusion=confusion,
        reliability=(ReliabilityBin(0.8, 0.9, 5, 0.85, 0.8), ReliabilityBin(0.9, 1.0, 15, 0.97, 1.0)),
    )


def evaluation(root: Path, labels: tuple[str, ...], count: int, wrong: int) -> ReportContent:
    """What a second stage has: ``count`` evaluated images, of which the first ``wrong`` are named wrong."""
    root.mkdir(exist_ok=True)
    samples, rows = [], []
    for i in range(count):
        label = labels[i % len(labels)]
        path = f"{i:05d}.png"
        Image.new("RGB", (40, 30), (i * 37 % 256, i * 11 % 256, 90)).save(root / path)
        predicted = labels[(i + 1) % len(labels)] if i < wrong else label
        samples.append(Sample(path, label, "val", f"{i:032x}", 40, 30))
        rows.append(PredictionRow(path, "val", label, predicted, 0.99 - 0.4 * i / count))
    return ReportContent(
        title="small set",
        manifest=Manifest(root, tuple(samples)),
        metrics=measured(rows, labels),
        rows=rows,
        engine="ONNX Runtime",
        backbone="EfficientNet-Lite0",
        size=224,
        layers="every stage",
        command="eyebright evaluate model.onnx photos",
    )


def training(
    root: Path, labels: tuple[str, ...] = ("cat", "dog"), count: int = 20, wrong: int = 3
) -> ReportContent:
    """What a training has: also choices, proof, seconds, facts, and files that were left out."""
    base = evaluation(root, labels, count, wrong)
    trained = Sample("train.png", labels[0], "train", "f" * 32, 64, 48)
    manifest = Manifest(
        root,
        (*base.manifest.samples, trained),
        skipped=(Skipped("broken.jpg", "It ends after {count} bytes.", {"count": 17}),),
        warnings=(Skipped("twice.jpg", "The same image lies under two labels."),),
    )
    return ReportContent(
        title=base.title,
        manifest=manifest,
        metrics=base.metrics,
        rows=base.rows,
        engine=base.engine,
        backbone=base.backbone,
        size=base.size,
        layers=base.layers,
        command="eyebright train photos",
        ece_before=0.081,
        temperature=1.4,
        probe_candidates=(
            Choice("224 px, last stage", around(0.8), False, 0.12, 0.03),
            Choice("320 px, every stage", around(0.9), True),
        ),
        parity=Parity(20, 19, 0.0125, 0.0004),
        seconds={"features": 6.0, "head": 2.0, "total": 8.5},
        facts={"Seed": "7"},
    )


def several(
    root: Path, labels: tuple[str, ...] = ("cell", "dust", "stain"), count: int = 24, wrong: int = 6
) -> ReportContent:
    """What a training has where an image may have several labels; of ``wrong`` images one label is wrong."""
    numbers = np.arange(count)[:, None] + np.arange(len(labels))
    truth = (numbers % 3 != 0).astype(np.int64)
    named = truth.copy()
    named[np.arange(wrong), np.arange(wrong) % len(labels)] ^= 1
    probabilities = np.where(named > 0, 0.8 + 0.01 * (numbers % 20), 0.1).astype(np.float32)
    base = training(root, labels, count, 0)
    texts = [[joined(x for x, y in zip(labels, row, strict=True) if y) for row in t] for t in (truth, named)]
    samples = tuple(
        replace(sample, label=text)
        for sample, text in zip(base.manifest.samples, [*texts[0], texts[0][0]], strict=True)
    )
    rows = [
        replace(row, label=own, predicted=said, confidence=0.5 + 0.4 * i / count)
        for i, (row, own, said) in enumerate(zip(base.rows, *texts, strict=True))
    ]
    metrics = measure_labels(truth, probabilities, np.full(len(labels), 0.5), labels, "val", resamples=50)
    manifest = replace(base.manifest, samples=samples, label_set=labels)
    return replace(base, manifest=manifest, metrics=metrics, rows=rows)


def learned(epochs: int = 8, best: int = 6) -> TrainingCurves:
    """How a network learned in ``epochs``: curves that fall and rise as real ones do."""
    history = [
        EpochRow(
            epoch=e,
            step=10 * e,
            train_loss=0.1 + 0.9 * 0.7**e if e else math.nan,
            val_loss=0.35 + 0.6 * 0.6**e + 0.01 * max(e - best, 0),
            val_accuracy=0.9 - 0.2 * 0.6**e,
            learning_rate=3e-4 * (1 - e / (epochs + 1)) if e else math.nan,
            images_per_second=31.0 + e % 3 if e else math.nan,
            memory_mb=1910.0 if e else math.nan,
            seconds=20.0,
            waited_share=0.031 if e else math.nan,
        )
        for e in range(epochs + 1)
    ]
    rates = [1e-6 * 10 ** (i / 10) for i in range(50)]
    losses = [1.1 - 0.4 * max(0, i - 15) / 20 if i < 38 else 0.7 * 2 ** (i - 38) for i in range(50)]
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (192, 768, 3), np.uint8)).save(picture, "PNG")
    return TrainingCurves(
        history=history,
        best=best,
        stopped_because="Nothing was gained for 5 epochs.",
        waited=0.031,
        search=RateSearch(rates, losses, 2.5e-4),
        samples=picture.getvalue(),
    )


def fine_tuning(
    root: Path, labels: tuple[str, ...] = ("cat", "dog"), count: int = 20, wrong: int = 3
) -> ReportContent:
    """What a fine-tuning has beside what every training has."""
    return replace(
        training(root, labels, count, wrong),
        finetune_candidates=(
            Choice("Head alone", around(0.88), False),
            Choice("Last 2 of 7 units", around(0.93), True),
        ),
        reasons=("Training everything was not tried: 10 min are not enough for one epoch.",),
        training_curves=learned(),
        random_weights=True,
    )

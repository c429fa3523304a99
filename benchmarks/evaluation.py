"""How long an evaluation takes: 2,000 cached images with the report, and 100,000 answers of 1,000 classes.

    python benchmarks/evaluation.py [DATA] [--images 100000] [--classes 1000]

DATA is a folder of labelled images. A model is trained on it (96 px, stages), then `evaluate` asks it about
its training images twice, the second time from the cache. The other figure is of made-up probabilities, as no
such set is at hand: rows drawn from a Dirichlet distribution, the true class likelier; all figures,
metrics.json, predictions.csv and a page whose pictures are placeholders. Goals: 15 s, and 60 s with 2 GB.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

import eyebright as eb
from eyebright.data.manifest import Manifest, Sample
from eyebright.evaluation.multiclass.results import Metrics
from eyebright.evaluation.rules.decisions import Decisions
from eyebright.report.content import ReportContent
from eyebright.runs.evaluation import write_results
from eyebright.runs.run import write_metrics
from eyebright.runs.scoring import Predictions


def content(manifest: Manifest, metrics: Metrics, predictions: Predictions) -> ReportContent:
    return ReportContent(
        title="made up",
        manifest=manifest,
        metrics=metrics,
        rows=predictions.rows(),
        engine="none",
        backbone="none",
        size=224,
        layers="none",
        command="none",
    )


def cached(data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = eb.train(data, size=96, layers="stages", out=Path(folder) / "run")
        for name in ("first", "again"):
            began, worked = time.perf_counter(), time.process_time()
            found = eb.evaluate(run.model, data, split="train", out=Path(folder) / name)
            seconds, work = time.perf_counter() - began, time.process_time() - worked
            stages = ", ".join(f"{k} {v:.1f}" for k, v in found.metrics["seconds"].items())
            images = sum(found.metrics["images"].values())
            size = found.report.stat().st_size / 1e6
            print(
                f"{name}: {images:,} images, {seconds:.1f} s, {work:.1f} s of processor time ({stages}), "
                f"page {size:.1f} MB",
                flush=True,
            )


def made_up(images: int, classes: int, profile: bool) -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, classes, images)
    # Gamma deviates, each row divided by its sum, are Dirichlet; in place, for memory is measured.
    probabilities = generator.standard_gamma(0.05, (images, classes), np.float32)
    probabilities[np.arange(images), truth] += generator.standard_gamma(2.0, images, np.float32)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = tuple(f"class {i:04d}" for i in range(classes))
    samples = [
        Sample(f"{labels[t]}/{i}.jpg", labels[t], "test", f"{i:032x}", 640, 480) for i, t in enumerate(truth)
    ]
    profiler = cProfile.Profile(time.process_time) if profile else nullcontext()
    began, worked = time.perf_counter(), time.process_time()
    with profiler, tempfile.TemporaryDirectory() as folder:
        predictions = Predictions(samples, labels, probabilities, (), Decisions(np.full(classes, np.nan)))
        metrics = predictions.metrics("test", 0)
        manifest = Manifest(Path(folder), tuple(samples))
        write_results(Path(folder), content(manifest, metrics, predictions))
        write_metrics(Path(folder) / "metrics.json", metrics.to_json())
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{images:,} x {classes:,}: {seconds:.1f} s, {work:.1f} s of processor time, peak {peak:.2f} GB, "
        f"accuracy {metrics.accuracy.value:.3f}"
    )
    if isinstance(profiler, cProfile.Profile):
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(40)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--profile", action="store_true", help="where the time of the second figure goes")
    options = parser.parse_args()
    made_up(options.images, options.classes, options.profile)
    if options.data:
        cached(options.data)


if __name__ == "__main__":
    main()

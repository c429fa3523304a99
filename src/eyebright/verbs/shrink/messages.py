"""What a search for a smaller model says and writes of its candidates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate
from eyebright.verbs.shrink.candidate import CandidateFigures, ShrinkCandidate, write_csv
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.page import write_pareto
from eyebright.verbs.shrink.targets import Target

FIGURES = "pareto.json"


def verdict(selected: ShrinkCandidate, targets: Sequence[Target]) -> str:
    """Return in one sentence what was selected, and whether it meets the targets."""
    values = {
        "name": selected.name,
        "accuracy": f"{100 * selected.accuracy.value:.1f}",
        "latency": f"{selected.latency_ms:.1f}",
        "size": f"{selected.size_bytes / 1e6:.2f}",
        "targets": ", ".join(map(str, targets)),
    }
    if selected.meets(targets):
        return translate(
            "Selected on the validation images: {name}, with an accuracy of {accuracy} %, {latency} "
            "ms and {size} MB. It is the most accurate candidate that meets {targets}.",
            **values,
        )
    return translate(
        "No candidate meets {targets}. The closest is {name}: accuracy {accuracy} %, {latency} ms, "
        "{size} MB. Try smaller input sizes, distil or prune a smaller model and add it with "
        "--candidates, or relax the targets.",
        **values,
    )


def write_pareto_files(
    directory: Path,
    config: ShrinkConfig,
    found: Sequence[CandidateFigures],
    targets: Sequence[Target],
    sentences: Sequence[str],
) -> None:
    """Write the comparison of the candidates as a page, as CSV and as JSON."""
    write_csv(directory / "pareto.csv", found)
    content = {
        "targets": [asdict(target) for target in targets],
        "candidates": [asdict(one) for one in found],
    }
    write_text(directory / FIGURES, json.dumps(content, indent=1, ensure_ascii=False))
    limits: dict[str, float] = {target.quantity: target.most for target in targets}
    title = (config.out or config.model).resolve().name
    write_pareto(directory / "pareto.html", title, found, limits, sentences)

"""What a search for a smaller model tells: the picture of all that was tried, and which was chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eyebright.runtime.atomic import write_text
from eyebright.text.language import translate
from eyebright.verbs.shrink.candidate import Candidate, write_csv
from eyebright.verbs.shrink.options import ShrinkConfig
from eyebright.verbs.shrink.page import CandidateFigures, write_pareto
from eyebright.verbs.shrink.targets import Target

FIGURES = "pareto.json"


def verdict(chosen: Candidate, targets: Sequence[Target]) -> str:
    """One sentence: what was chosen, and whether it keeps to the targets."""
    values = {
        "name": chosen.name,
        "accuracy": f"{100 * chosen.accuracy.value:.1f}",
        "latency": f"{chosen.latency_ms:.1f}",
        "size": f"{chosen.size_bytes / 1e6:.2f}",
        "targets": ", ".join(map(str, targets)),
    }
    if chosen.meets(targets):
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


def write_tried(
    directory: Path,
    config: ShrinkConfig,
    found: Sequence[dict[str, Any]],
    targets: Sequence[Target],
    sentences: Sequence[str],
) -> None:
    """The picture of what was tried, and the same as figures."""
    write_csv(directory / "pareto.csv", found)
    content = {"targets": [asdict(target) for target in targets], "candidates": found}
    write_text(directory / FIGURES, json.dumps(content, indent=1, ensure_ascii=False))
    figures = [CandidateFigures.of(row) for row in found]
    limits: dict[str, float] = {target.quantity: target.most for target in targets}
    title = (config.out or config.model).resolve().name
    write_pareto(directory / "pareto.html", title, figures, limits, sentences)

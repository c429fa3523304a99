"""The card of a data set, with the front matter that the Hugging Face Hub expects."""

from __future__ import annotations

import json
from collections.abc import Mapping

from eyebright.data.writing.base import DataFacts
from eyebright.text.format import number
from eyebright.text.language import translate

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def dataset_card(facts: DataFacts, counts: Mapping[str, int]) -> str:
    """Return the card: front matter, what the images are, and how many each split has."""
    total = sum(counts.values())
    size = next((name for limit, name in _SIZES if total < limit), "1M<n<10M")
    matter = [
        "---",
        f"pretty_name: {json.dumps(facts.name, ensure_ascii=False)}",
        "task_categories:",
        "- image-classification",
        f"size_categories:\n- {size}",
        "---",
    ]
    labels = ", ".join(facts.labels)
    lines = [
        f"# {facts.name}",
        translate(
            "{count:image|images} with {labels:label|labels}: {names}.",
            count=total,
            labels=len(facts.labels),
            names=labels,
        ),
        "\n".join(f"- {split}: {number(count)}" for split, count in counts.items()),
    ]
    if facts.licence is not None:
        lines.append(translate("Licence: {licence}", licence=facts.licence))
    return "\n".join(matter) + "\n\n" + "\n\n".join(lines) + "\n"

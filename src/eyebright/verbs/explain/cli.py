"""`eyebright explain`: the parts of an image a prediction is based on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.explain.explain import Explanations
    from eyebright.verbs.explain.options import ExplainConfig


def _config() -> type[ExplainConfig]:
    from eyebright.verbs.explain.options import ExplainConfig

    return ExplainConfig


def _run(config: ExplainConfig) -> int:
    from eyebright.runtime.context import progress
    from eyebright.verbs.explain.explain import explain

    found = explain(config)
    for skipped in found.skipped:
        reason = translate(skipped.reason, **skipped.reason_values)
        progress().say(f"{printable(skipped.path)}: {reason}")
    _print(found)
    return 1 if found.skipped else 0


def _print(found: Explanations) -> None:
    rows = [
        (f"{100 * image.probability:.1f} %", printable(image.label), printable(str(image.picture)))
        for image in found.images
    ]
    if rows:
        print(table(rows, right=(0,)))
    print(translate("Page  {path}", path=printable(str(found.page))))


VERB = Verb(
    name="explain",
    summary="Show which parts of an image a prediction is based on.",
    config=_config,
    run=_run,
    notes=(
        "Writes one picture per image, and index.html with all of them: orange counts for the class, "
        "blue against it. Exit status: 0 if every image was read, 1 if any was skipped."
    ),
    file=True,
)

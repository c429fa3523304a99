"""`eyebright compare`: which of several runs is better on the same images, if any is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.compare.compare import Comparison
    from eyebright.verbs.compare.options import CompareConfig


def _config() -> type[CompareConfig]:
    from eyebright.verbs.compare.options import CompareConfig

    return CompareConfig


def _run(config: CompareConfig) -> int:
    from eyebright.verbs.compare.compare import compare

    _print(compare(config))
    return 0


def _print(comparison: Comparison) -> None:
    content = comparison.content
    heading = translate("Comparison on {count:image|images} that all runs evaluated:", count=content.images)
    between = translate("95 % interval")
    runs = [("", translate("Accuracy"), between, translate("Log loss"), between)]
    for run in content.runs:
        a, loss = run.accuracy, run.log_loss
        runs.append(
            (
                printable(run.name),
                f"{100 * a.value:.1f} %",
                _between(f"{100 * a.low:.1f}", f"{100 * a.high:.1f} %"),
                f"{loss.value:.3f}",
                _between(f"{loss.low:.3f}", f"{loss.high:.3f}"),
            )
        )
    print(f"\n{heading}\n\n{table(runs, right=(1, 3))}\n")
    print(table(_differences(comparison), right=(1, 3)) + "\n")
    for sentence in comparison.verdict:
        print(printable(sentence))
    print(translate("Page  {path}", path=printable(str(comparison.report))))


def _differences(comparison: Comparison) -> list[tuple[str, ...]]:
    content = comparison.content
    names = [printable(run.name) for run in content.runs]
    between = translate("95 % interval")
    head = (
        "",
        translate("difference (points)"),
        between,
        translate("only one correct"),
        translate("p (McNemar)"),
        translate("log loss"),
        between,
        "p",
    )
    rows: list[tuple[str, ...]] = [head]
    for d in content.differences:
        a, loss = d.accuracy, d.log_loss
        rows.append(
            (
                f"{names[d.second]} - {names[d.first]}",
                f"{100 * a.value:+.1f}",
                _between(f"{100 * a.low:+.1f}", f"{100 * a.high:+.1f}"),
                f"{d.only_second} / {d.only_first}",
                _chance(d.accuracy_p),
                f"{loss.value:+.3f}",
                _between(f"{loss.low:+.3f}", f"{loss.high:+.3f}"),
                _chance(d.log_loss_p),
            )
        )
    return rows


def _chance(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _between(low: str, high: str) -> str:
    return translate("{low} to {high}", low=low, high=high)


VERB = Verb(
    name="compare",
    summary="Compare runs on the images that all of them evaluated.",
    config=_config,
    run=_run,
    notes=(
        "Differences are the later run minus the earlier one. A run is called better only if the "
        "difference is significant: p, adjusted for the number of pairs, below 0.05."
    ),
    file=True,
)

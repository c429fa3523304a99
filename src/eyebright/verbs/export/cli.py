"""`eyebright export`: a model in other formats, each with its certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import printable, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.verbs.export.export import Exported, Exports
    from eyebright.verbs.export.options import ExportConfig


def _config() -> type[ExportConfig]:
    from eyebright.verbs.export.options import ExportConfig

    return ExportConfig


def _run(config: ExportConfig) -> int:
    from eyebright.verbs.export.export import export

    exports = export(config)
    _print(exports)
    return 0 if exports.passed else 1


def _print(exports: Exports) -> None:
    head = (
        "",
        translate("images"),
        translate("agreement"),
        translate("accuracy"),
        translate("difference (points)"),
        translate("largest difference"),
        translate("ms, one thread"),
        translate("images/s"),
        "MB",
        "",
    )
    rows = [head, *(_row(exported) for exported in exports.done)]
    print(f"\n{table(rows, right=range(1, 9))}\n")
    for exported in exports.done:
        for reason in exported.certificate.reasons:
            print(f"{exported.name}: {reason.text()}")
    for name, error in exports.failed.items():
        print(f"{name}: {error.text()}")
    print(translate("Exports  {path}", path=printable(str(exports.directory))))


def _row(exported: Exported) -> tuple[str, ...]:
    found = exported.certificate
    difference = found.comparison.accuracy_difference
    verdict = translate("passed") if found.passed else translate("REJECTED")
    return (
        exported.name,
        str(found.comparison.images),
        f"{100 * found.comparison.agreement:.1f} %",
        f"{100 * found.comparison.accuracy:.1f} %",
        f"{100 * difference.value:+.1f} ({100 * difference.low:+.1f}, {100 * difference.high:+.1f})",
        f"{found.comparison.max_difference:.4f}",
        f"{found.speed.latency_ms:.1f}",
        f"{found.speed.images_per_second:.0f}",
        f"{found.size_bytes / 1e6:.1f}",
        verdict,
    )


VERB = Verb(
    name="export",
    summary="Export a model to other formats and compare each with the original.",
    config=_config,
    run=_run,
    file=True,
)

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
    from eyebright.runtime.terminal import TerminalProgress
    from eyebright.verbs.export.export import export

    exports = export(config, TerminalProgress(config.lang))
    _print(exports, config.lang)
    return 0 if exports.passed else 1


def _print(exports: Exports, lang: str) -> None:
    head = (
        "",
        translate("images", lang),
        translate("agreement", lang),
        translate("accuracy", lang),
        translate("difference in points", lang),
        translate("largest difference", lang),
        translate("ms, one thread", lang),
        translate("images/s", lang),
        "MB",
        "",
    )
    rows = [head, *(_row(exported, lang) for exported in exports.done)]
    print(f"\n{table(rows, right=range(1, 9))}\n")
    for exported in exports.done:
        for reason in exported.certificate.reasons:
            print(f"{exported.name}: {reason.text(lang)}")
    for name, error in exports.failed.items():
        print(f"{name}: {error.text(lang)}")
    print(translate("Exports  {path}", lang, path=printable(str(exports.directory))))


def _row(exported: Exported, lang: str) -> tuple[str, ...]:
    found = exported.certificate
    gain = found.comparison.accuracy_difference
    verdict = translate("passed", lang) if found.passed else translate("REJECTED", lang)
    return (
        exported.name,
        str(found.comparison.images),
        f"{100 * found.comparison.agreement:.1f} %",
        f"{100 * found.comparison.accuracy:.1f} %",
        f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f}, {100 * gain.high:+.1f})",
        f"{found.comparison.max_difference:.4f}",
        f"{found.speed.latency_ms:.1f}",
        f"{found.speed.images_per_second:.0f}",
        f"{found.size_bytes / 1e6:.1f}",
        verdict,
    )


VERB = Verb(
    name="export",
    summary="Write a model in other formats, each compared with the original.",
    config=_config,
    run=_run,
    file=True,
)

"""The result of `export`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.errors import EyebrightError
from eyebright.exporting.certificate.certificate import Certificate
from eyebright.report.display import Displayed, ResultTable
from eyebright.text.language import translate
from eyebright.text.table import printable


@dataclass(frozen=True)
class Exported:
    """One export: the name of its folder, its path, and the result of the comparison."""

    name: str
    folder: Path
    certificate: Certificate


@dataclass(frozen=True, repr=False)
class Exports(Displayed):
    """The exports that were written, and why the others were not; they show their metrics when printed.

    Attributes:
        directory: holds a folder for each export.
        done: in the order of the formats, rejected ones too.
        failed: errors by format.
    """

    directory: Path
    done: Sequence[Exported]
    failed: dict[str, EyebrightError]

    @property
    def passed(self) -> bool:
        """Return whether every format was written and met its acceptance criteria."""
        return not self.failed and all(exported.certificate.passed for exported in self.done)

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the comparison of each export with the original, and why any was rejected or failed."""
        yield ResultTable([_head(), *map(_row, self.done)], right=range(1, 9))
        reasons = [
            f"{exported.name}: {reason.text()}"
            for exported in self.done
            for reason in exported.certificate.reasons
        ]
        errors = [f"{name}: {error.text()}" for name, error in self.failed.items()]
        yield "\n".join(
            [*reasons, *errors, translate("Exports  {path}", path=printable(str(self.directory)))]
        )


def _head() -> tuple[str, ...]:
    return (
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

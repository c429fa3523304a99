"""The result of `shrink`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.run import Run
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.verbs.shrink.candidate import ShrinkCandidate
from eyebright.verbs.shrink.targets import Target


@dataclass(frozen=True, repr=False)
class Shrunk(Displayed):
    """The result of a search for a smaller model; it shows all candidates when it is printed.

    Attributes:
        run: the model that is handed out, evaluated and reported like any other.
        candidates: everything that was candidates.
        selected: the one that is handed out.
        targets: that were asked for.
        page: the picture of what was candidates.
    """

    run: Run
    candidates: Sequence[ShrinkCandidate]
    selected: ShrinkCandidate
    targets: Sequence[Target]
    page: Path

    @property
    def met(self) -> bool:
        """Return whether the selected one keeps to all targets; else it is the nearest that there is."""
        return self.selected.meets(self.targets)

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the candidates, the selected model's run, and where the page is."""
        head = (
            "",
            translate("validation accuracy"),
            translate("ms, one thread"),
            "MB",
            translate("meets the targets"),
            "",
        )
        yield ResultTable([head, *map(self._row, self.candidates)], right=(1, 2, 3))
        yield from self.run.display()
        yield printable(str(self.page))

    def _row(self, candidate: ShrinkCandidate) -> tuple[str, ...]:
        return (
            printable(candidate.name),
            f"{100 * candidate.accuracy.value:.1f} %",
            f"{candidate.latency_ms:.1f}",
            f"{candidate.size_bytes / 1e6:.2f}",
            translate("yes") if candidate.meets(self.targets) else translate("no"),
            translate("selected") if candidate is self.selected else "",
        )

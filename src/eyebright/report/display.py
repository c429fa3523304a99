"""How a result shows itself: as aligned text where it is printed, as tables in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from eyebright.text.table import printable, printable_lines, table


@dataclass(frozen=True)
class ResultTable:
    """A table of a result.

    Attributes:
        rows: cells, equally many in each row.
        right: the columns whose cells are aligned to the right.
        head: whether the first row names the columns.
    """

    rows: Sequence[Sequence[str]]
    right: Collection[int] = ()
    head: bool = True


class Displayed(ABC):
    """A result that shows its metrics, when it is printed and as the last value of a notebook's cell."""

    @abstractmethod
    def display(self) -> Iterator[str | ResultTable]:
        """Yield the paragraphs and tables to show."""

    def __repr__(self) -> str:
        return as_text(self.display())

    def _repr_html_(self) -> str:
        return as_html(self.display())


def as_text(blocks: Iterable[str | ResultTable]) -> str:
    """Return paragraphs and tables as text, with an empty line between two."""
    return "\n\n".join(
        printable_lines(block) if isinstance(block, str) else table(_cells(block), right=block.right)
        for block in blocks
    )


def _cells(block: ResultTable) -> list[list[str]]:
    return [[printable(cell) for cell in row] for row in block.rows]


def as_html(blocks: Iterable[str | ResultTable]) -> str:
    """Return paragraphs and tables as HTML for a notebook's cell."""
    from eyebright.report.templating import render

    return render("result.html", blocks=list(blocks))

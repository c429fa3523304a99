"""One claim: what was promised or looked for, and whether the images bear it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eyebright.text.format import paragraph_of

ClaimStatus = Literal["kept", "open", "broken"]


@dataclass(frozen=True)
class Claim:
    """What was promised, and whether that was kept.

    Attributes:
        status: whether it was; open where the images do not tell.
        head: the verdict, which is to be seen first; may be empty.
        detail: further sentences; may be empty.
        evidence: the anchor of the section behind it.
    """

    status: ClaimStatus
    head: str
    detail: str
    evidence: str

    @property
    def sentence(self) -> str:
        """Return all of it as one text."""
        return paragraph_of(self.head, self.detail)

"""A whole page in one HTML file: nothing is fetched, and no script but the page's own runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from markupsafe import Markup

from eyebright.report.templating import render


@dataclass(frozen=True)
class Section:
    """One section of a page.

    Attributes:
        anchor: its id, which links lead to.
        title: plain text.
        body: fit for a page as it stands.
    """

    anchor: str
    title: str
    body: Markup


def document(title: str, head: Markup, sections: Sequence[Section]) -> str:
    """Return a whole page.

    Args:
        title: plain text.
        head: stands under the title.
        sections: in their order; the contents list them.
    """
    script = _resource("page.js") + _resource("map.js") + _resource("fixes.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = render(
        "page.html",
        title=title,
        head=head,
        sections=sections,
        style=_resource("page.css"),
        script=script,
        script_hash=digest,
    )
    return f"{page}\n"


def _resource(filename: str) -> Markup:
    return Markup(files("eyebright.report").joinpath(filename).read_text(encoding="utf-8"))

"""A chart: geometry computed in Python, drawn by a template."""

from __future__ import annotations

from markupsafe import Markup

from eyebright.report.templating import render


def draw(template: str, chart: object) -> Markup:
    """Return the drawing of ``chart``, fit for a page as it stands.

    Args:
        template: its file in the folder of the charts.
        chart: a frozen dataclass with coordinates, ticks and labels in plain text.
    """
    return render(f"charts/{template}", chart=chart)

"""What comes from outside means nothing to HTML and nothing to Markdown."""

from __future__ import annotations

import pytest
from jinja2.exceptions import UndefinedError

from eyebright.report.templating import render


def test_quotes_are_escaped_and_what_html_cannot_hold_is_replaced() -> None:
    page = render("verdict.html", sentences=["<a href=\"x\" b='y'>&", "a\x00b\u202ec\udc80"])
    assert "&lt;a href=&#34;x&#34; b=&#39;y&#39;&gt;&amp;" in page
    assert "a\ufffdb\ufffdc?" in page


def test_a_per_cent_sign_stays_with_its_number() -> None:
    assert "90\N{NO-BREAK SPACE}% of" in render("verdict.html", sentences=["90 % of"])


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("verdict.html")

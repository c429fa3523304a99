"""What comes from outside stays text on a page, whatever characters it holds."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from eyebright.report.templating import render


def listed(value: str) -> str:
    found = re.search("<bdi>(.*?)</bdi>", render("terms.html", pairs=[("name", value)]), re.S)
    assert found is not None
    return found[1]


def test_values_are_escaped_and_lose_what_html_cannot_hold() -> None:
    assert listed("<a href=\"x\" b='y'>&") == "&lt;a href=&#34;x&#34; b=&#39;y&#39;&gt;&amp;"
    assert listed("a\x00b\u202ec\udc80") == "a\ufffdb\ufffdc?"


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("terms.html")

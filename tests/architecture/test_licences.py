"""Nothing that users install is under GPL or AGPL, and the page of licences is complete."""

from __future__ import annotations

import platform
import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "build_licences.py"))
EXTRAS = SCRIPT["user_extras"]()


def known(names: set[str]) -> dict[str, str]:
    """The licences of those that are installed."""
    return {name: found for name in names if (found := SCRIPT["licence"](name)) is not None}


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_all_that_is_installed_has_a_licence_that_is_allowed(extra: str) -> None:
    licences = known(SCRIPT["closure"](extra))
    assert licences["numpy"]
    assert SCRIPT["problems"](licences) == []


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPL-3.0-or-later", "MIT AND GPL-2.0-or-later", ""])
def test_a_licence_that_is_unknown_or_not_allowed_is_a_problem(licence: str) -> None:
    assert len(SCRIPT["problems"]({"numpy": "BSD-3-Clause", "fresh": licence})) == 1


@pytest.mark.parametrize(
    ("claim", "expression"),
    [
        ("mit", "MIT"),
        ("MIT License\n\nCopyright (c) 2026", "MIT"),
        ("Apache Software License", "Apache-2.0"),
        ("gpl-3.0-only", "GPL-3.0-only"),
        ("Ask us", ""),
        ("", ""),
    ],
)
def test_what_a_package_says_is_read_as_spdx(claim: str, expression: str) -> None:
    assert SCRIPT["spdx"](claim) == expression


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or sys.version_info[:2] != (3, 11),
    reason="the page lists what Linux and Python 3.11 install",
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_lists_every_package_with_its_licence(language: str) -> None:
    listed = SCRIPT["_rows"](SCRIPT["page"](language).read_text(encoding="utf-8"))
    installed = known(set().union(*(SCRIPT["closure"](extra) for extra in ["", *EXTRAS])))
    changed = {name for name, found in installed.items() if listed.get(name, ("",))[0] != found}
    assert changed == set(), "run: python scripts/build_licences.py"

"""Declare `eyebright doctor`: show what this machine has, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import json_text, table
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyebright.verbs.doctor.fact import Fact
    from eyebright.verbs.doctor.options import DoctorConfig


def _show(facts: Sequence[Fact], config: DoctorConfig) -> int:
    print(_json(facts) if config.json_ else _table(facts))
    return 0


def _json(facts: Sequence[Fact]) -> str:
    content = {f.key: {"value": f.value, "state": f.state, "command": f.command} for f in facts}
    return json_text(content, indent=2)


def _table(facts: Sequence[Fact]) -> str:
    marks = {"ok": translate("ok"), "missing": translate("missing"), "note": "-"}
    lines = table([(marks[f.state], f.title, f.text) for f in facts]).split("\n")
    commands = [f.command for f in facts if f.command]
    if commands:
        lines += ["", translate("To install what is missing:"), *(f"  {command}" for command in commands)]
    return "\n".join(lines)


VERB = Verb(
    name="doctor",
    summary="Show what this machine has: processor, memory, GPU, inference engines, and missing extras.",
    show=_show,
)

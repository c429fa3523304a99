"""Declare `eyebright audit`: what is wrong with a data set, before a model is trained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb, print_result

if TYPE_CHECKING:
    from eyebright.verbs.audit.audit import Audit
    from eyebright.verbs.audit.options import AuditConfig


def _show(found: Audit, config: AuditConfig) -> int:
    print_result(found, config)
    return 1 if found.of(*config.fail_on) else 0


VERB = Verb(
    name="audit",
    summary="Find copies, leaks, wrong labels, shifts, shortcuts and faulty images in a data set.",
    show=_show,
    notes=(
        "Nothing is changed: fixes.csv proposes what to do, and is applied where it is given with --fixes, "
        "here "
        "or to `eyebright train`. Exit status: 1 if a kind of --fail-on was found, else 0."
    ),
    file=True,
)

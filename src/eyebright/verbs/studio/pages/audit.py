"""The page on which the data are audited, and on which a person says which proposed fixes to apply."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eyebright.data.fixes import EVERYTHING, Fix, read_fixes
from eyebright.data.manifest import Sample
from eyebright.labelling.label_files import path_in_table, table
from eyebright.text.language import language, translate
from eyebright.verbs.audit.options import AuditConfig
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.door import person, require_role
from eyebright.verbs.studio.pages.models import document
from eyebright.verbs.studio.pages.show import command, go, off_loop, page, post, studio_of

_SHOWN = 60


@dataclass(frozen=True)
class FixRow:
    """A proposed fix: its place in the file, its image, and what can be done instead."""

    place: int
    fix: Fix
    sha: str
    chosen: str


@dataclass(frozen=True)
class FixGroup:
    """Proposed fixes of one kind, those that are shown, and how many are not."""

    reason: str
    rows: Sequence[FixRow]
    hidden: int


async def audit(request: Request) -> Response:
    """Show what the last audit found."""
    studio = studio_of(request)
    folder = _last(studio)
    groups = [] if folder is None else await off_loop(lambda: _groups(studio, folder))
    return page(
        request,
        "audit.html",
        translate("Audit"),
        commands=[
            command("audit", table(studio.project)),
            command("train", table(studio.project), "--fixes", studio.fixes_file),
        ],
        name_of_audit="" if folder is None else folder.name,
        groups=groups,
        labelled=len(studio.labels()),
        accepted=sum(bool(fix.action) for fix in studio.fixes()),
        saved=request.query_params.get("saved") == "1",
    )


async def start(request: Request) -> Response:
    """Begin an audit of the labelled images."""
    require_role(request, "admin")
    studio = studio_of(request)
    out = _folder(studio) / time.strftime("%Y%m%d-%H%M%S")
    data = await off_loop(studio.data)
    config = AuditConfig.build(data=data, out=out, fixes=studio.accepted_fixes, lang=language())

    def work() -> str:
        from eyebright.verbs.audit.audit import audit as stage

        stage(config)
        return "/audit"

    given = ["--fixes", str(config.fixes)] if config.fixes else []
    studio.jobs.start("audit", [command("audit", data, *given, "--out", out)], work)
    return go("/audit")


async def save(request: Request) -> Response:
    """Write the fixes that a person chose; a new label becomes a label of the studio."""
    require_role(request, "label")
    studio = studio_of(request)
    folder = _last(studio)
    form = await request.form(max_fields=100_000)
    if folder is not None:
        chosen = {key: str(value) for key, value in form.items()}
        await off_loop(lambda: _save(studio, folder, chosen, person(request)))
    return go("/audit?saved=1")


async def report(request: Request) -> Response:
    """Return the whole report of an audit."""
    folder = _folder(studio_of(request)) / Path(request.path_params["name"]).name
    return document(folder / "audit.html")


def _folder(studio: Studio) -> Path:
    return studio.project.folder / "audits"


def _last(studio: Studio) -> Path | None:
    found = sorted(_folder(studio).glob("*/fixes.csv"))
    return found[-1].parent if found else None


def _groups(studio: Studio, folder: Path) -> list[FixGroup]:
    """Return the proposed fixes by their reason, with what was chosen before."""
    accepted = {(fix.image, fix.reason): fix.action for fix in studio.fixes()}
    by_path = _by_path(studio)
    rows = [
        FixRow(place, fix, by_path[fix.image].sha, accepted.get((fix.image, fix.reason), fix.action))
        for place, fix in enumerate(read_fixes(folder / "fixes.csv").rows)
        if fix.image != EVERYTHING and fix.image in by_path
    ]
    kinds = sorted(rows, key=lambda row: _kind(row.fix))
    found = [(kind, list(some)) for kind, some in groupby(kinds, key=lambda row: _kind(row.fix))]
    return [FixGroup(kind, some[:_SHOWN], max(0, len(some) - _SHOWN)) for kind, some in found]


def _kind(fix: Fix) -> str:
    """Return the kind of a fix without its probability."""
    return fix.reason.partition(",")[0].partition("，")[0]


def _save(studio: Studio, folder: Path, chosen: Mapping[str, str], who: str) -> None:
    proposed = read_fixes(folder / "fixes.csv").rows
    by_path = _by_path(studio)
    labels: list[tuple[str, str | None]] = []
    fixes: list[Fix] = []
    for place, fix in enumerate(proposed):
        action = chosen.get(f"fix-{place}", fix.action)
        if action == "relabel" and fix.action == "relabel":
            if fix.image in by_path and f"fix-{place}" in chosen:
                labels.append((by_path[fix.image].sha, fix.value))
        elif action in ("drop", "not_a_problem"):
            fixes.append(Fix(fix.image, action, "", fix.reason))
        elif action == fix.action and action:
            fixes.append(fix)
    if labels:
        studio.project.store.add(who, labels)
    studio.accept_fixes(fixes)


def _by_path(studio: Studio) -> dict[str, Sample]:
    """Return the images by the paths that the table of labels gives them."""
    return {path_in_table(studio.project, sample): sample for sample in studio.project.samples}


ROUTES = [
    Route("/audit", audit),
    post("/audit", start),
    post("/audit/fixes", save),
    Route("/audit/{name}/report", report),
]

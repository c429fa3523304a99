"""The page on which a model is trained; the browser may be closed meanwhile."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from eyebright.data.manifest import Sample
from eyebright.errors import ConfigError
from eyebright.labelling.label_files import table
from eyebright.labelling.project import TEXT
from eyebright.text.language import language, translate
from eyebright.verbs.studio.core import Studio
from eyebright.verbs.studio.door import require_role
from eyebright.verbs.studio.pages.show import command, go, off_loop, page, post, studio_of
from eyebright.verbs.train.options import TrainConfig

_LEAST = 2
_BUDGETS = ("10m", "30m", "2h")


async def train(request: Request) -> Response:
    """Show what would be trained on, and how."""
    return _page(request)


async def start(request: Request) -> Response:
    """Begin a training, or go on with one that was stopped."""
    require_role(request, "admin")
    studio = studio_of(request)
    form = await request.form()
    budget = next((known for known in _BUDGETS if known == form.get("budget")), None)
    resume = _interrupted(studio) if form.get("resume") else None
    texts = bool(form.get("texts")) and budget is None
    try:
        await off_loop(lambda: _start(studio, budget, resume, texts=texts))
    except ConfigError as error:
        return _page(request, error.text())
    return go("/train")


def _page(request: Request, error: str = "") -> Response:
    studio = studio_of(request)
    samples = studio.project.labelled()
    counts, texts = _counts(studio, samples), sum(bool(s.text) for s in samples)
    interrupted = _interrupted(studio)
    return page(
        request,
        "train.html",
        translate("Train"),
        commands=[
            _command(studio, None, studio.runs_folder / "NAME", studio.accepted_fixes, texts=bool(texts))
        ],
        error=error,
        labelled=len(samples),
        counts=sorted(counts.items()),
        problem=_problem(counts),
        texts=texts,
        budgets=_BUDGETS if find_spec("torch") and find_spec("timm") else (),
        fixes=sum(bool(fix.action) for fix in studio.fixes()),
        interrupted="" if interrupted is None else interrupted.name,
        runs=studio.runs()[:1],
    )


def _counts(studio: Studio, samples: Sequence[Sample]) -> Counter[str]:
    """Return the images of each class; one of several labels counts under each."""
    return Counter(name for sample in samples for name in studio.project.names(sample.label))


def _problem(counts: Counter[str]) -> str:
    """Return why there is nothing to train on yet; nothing if there is."""
    few = sorted(label for label, count in counts.items() if count < _LEAST)
    if len(counts) < 2:
        return translate("Label images of two classes at least, {count} or more of each.", count=_LEAST)
    if few:
        return translate(
            "Each class needs {count} images at least. These have fewer: {classes}.",
            count=_LEAST,
            classes=", ".join(few),
        )
    return ""


def _start(studio: Studio, budget: str | None, resume: Path | None, *, texts: bool) -> None:
    from eyebright.verbs.train.train import train as stage

    samples = studio.project.labelled()
    texts = texts and any(sample.text for sample in samples)
    if problem := _problem(_counts(studio, samples)):
        raise ConfigError("There must be images to train on. {problem}", problem=problem)
    out = resume or studio.runs_folder / time.strftime("%Y%m%d-%H%M%S")
    fixes = studio.accepted_fixes
    if resume is not None and (resume / "checkpoints").is_dir():
        config = TrainConfig.build(resume=resume, lang=language())
    else:
        config = TrainConfig.build(
            data=studio.data(),
            out=out,
            fixes=fixes,
            text=[TEXT] if texts else [],
            lang=language(),
            finetune="auto" if budget else None,
            budget=budget,
        )

    def work() -> str:
        return f"/models/{stage(config).directory.name}"

    studio.jobs.start("train", [_command(studio, budget, out, fixes, texts=texts)], work)


def _command(studio: Studio, budget: str | None, out: Path, fixes: Path | None, *, texts: bool) -> str:
    more = ["--finetune", "auto", "--budget", budget] if budget else []
    accepted = ["--fixes", str(fixes)] if fixes else []
    read = ["--text", TEXT] if texts else []
    return command("train", table(studio.project), *more, *accepted, *read, "--out", out)


def _interrupted(studio: Studio) -> Path | None:
    """Return the newest run that was begun and not finished."""
    if studio.jobs.running or not studio.runs_folder.is_dir():
        return None
    newest = max(studio.runs_folder.iterdir(), key=lambda folder: folder.name, default=None)
    finished = newest is None or (newest / "metrics.json").is_file()
    return None if finished else newest


ROUTES = [Route("/train", train), post("/train", start)]

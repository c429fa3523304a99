"""Studios that tests open, and clients that are let in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.testclient import TestClient

from eyebright.labelling.project import Project
from eyebright.serving.security import Role, Tokens
from eyebright.verbs.studio.app import create_app
from eyebright.verbs.studio.core import Studio

TOKENS: dict[Role, str] = {"admin": "a" * 24, "view": "v" * 24}


@contextmanager
def studio_of(folder: Path, *, open_service: bool = False) -> Iterator[Studio]:
    hashes = {hashlib.sha256(token.encode()).digest(): role for role, token in TOKENS.items()}
    studio = Studio(Project(folder), Tokens(hashes), open_service=open_service)
    yield studio
    studio.close()


@contextmanager
def stranger_to(studio: Studio) -> Iterator[TestClient]:
    with TestClient(create_app(studio), base_url="http://127.0.0.1", follow_redirects=False) as client:
        yield client


@contextmanager
def admin_of(studio: Studio) -> Iterator[TestClient]:
    with stranger_to(studio) as client:
        client.get(f"/?token={TOKENS['admin']}")
        yield client


def finished(studio: Studio) -> None:
    """Wait for the job under way."""
    if studio.jobs._thread is not None:
        studio.jobs._thread.join()

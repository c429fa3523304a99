"""One model in service for all tests of this folder, which is only asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Photographs, client_of, service_of
from starlette.testclient import TestClient

from eyebright.runs.run import Run
from eyebright.serving.served_model import ServedModel


@pytest.fixture(scope="session")
def served(textile_run: Run) -> ServedModel:
    return ServedModel(textile_run.directory)


@pytest.fixture(scope="session")
def photos(textile: Path) -> Photographs:
    return Photographs(sorted((textile / "val").rglob("*.jpg"))[::5])


@pytest.fixture
def client(served: ServedModel) -> Iterator[TestClient]:
    with client_of(service_of(served)) as client:
        yield client

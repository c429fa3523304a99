"""How a server runs: beside an event loop of a notebook, and what it changes in the interpreter meanwhile."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

import uvicorn
from serving import service_of
from starlette.applications import Starlette

from eyebright.serving.served_model import ServedModel
from eyebright.serving.server import Address, make_app_server, run_until_stopped, serve_until_stopped


async def _in_a_notebook() -> list[bool]:
    started: list[bool] = []

    def stop() -> None:
        started.append(server.started)
        server.should_exit = True

    address = Address("127.0.0.1", 0)
    with address.listen() as bound:
        server: uvicorn.Server = make_app_server(Starlette(), 1, on_started=stop, on_ending=lambda: None)
        run_until_stopped(server, bound)
    return started


def test_a_notebook_can_serve() -> None:
    assert asyncio.run(_in_a_notebook()) == [True]


def test_what_is_loaded_is_not_searched_for_garbage_while_requests_wait(served: ServedModel) -> None:
    before, found = (sys.getswitchinterval(), gc.get_freeze_count()), []

    def stop() -> None:
        found.append((sys.getswitchinterval(), gc.get_freeze_count()))
        signal.raise_signal(signal.SIGTERM)

    address = Address("127.0.0.1", 0)
    with address.listen() as bound:
        assert serve_until_stopped(service_of(served), address, bound, stop) == 0
    [(interval, frozen)] = found
    assert interval < before[0]
    assert frozen > before[1] + 10_000
    assert (sys.getswitchinterval(), gc.get_freeze_count()) == before

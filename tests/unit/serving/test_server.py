"""Servers beside an event loop that runs already, as in a notebook."""

from __future__ import annotations

import asyncio

import uvicorn
from starlette.applications import Starlette

from eyebright.serving.server import Address, make_app_server, run_until_stopped


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

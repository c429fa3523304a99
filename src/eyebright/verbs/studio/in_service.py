"""The model in use: answered with on the page, and served to others under `/service`."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

from pydantic import BaseModel, TypeAdapter
from starlette.types import ASGIApp, Receive, Scope, Send

from eyebright.errors import EyebrightError
from eyebright.runtime.atomic import write_text
from eyebright.runtime.stored import STORED, read_json
from eyebright.sealed.model import SealedModel
from eyebright.serving.app import create_app
from eyebright.serving.problems import problem
from eyebright.serving.registry import Registry
from eyebright.serving.request_log import RequestLog
from eyebright.serving.security import Tokens
from eyebright.serving.served_model import ServedModel
from eyebright.serving.service import Service, ServiceSettings
from eyebright.text.language import translate

NAME = "studio"
_FILE = "in-use.json"


class StoredInUse(BaseModel):
    """Which run is in use, as `in-use.json` has it."""

    model_config = STORED

    run: str


class InService:
    """The model in use, and the service that answers with it; there may be none yet.

    Args:
        folder: of the studio; runs lie below it.
        tokens: who may ask; None where everybody on this machine may.
        hosts: names besides localhost and addresses that requests may be sent to.
    """

    def __init__(self, folder: Path, tokens: Tokens | None, hosts: frozenset[str]) -> None:
        self._folder = folder
        self._tokens = tokens
        self._settings = ServiceSettings(hosts=hosts)
        self._service: Service | None = None
        self._app: ASGIApp | None = None
        self._running = AsyncExitStack()
        self._changing = asyncio.Lock()

    async def __aenter__(self) -> InService:
        """Serve the model that was in use when the studio ended, if it still can be served."""
        try:
            name = read_json(TypeAdapter(StoredInUse), self._folder / _FILE).run
            await self.put(self._folder / "runs" / Path(name).name)
        except (OSError, ValueError, EyebrightError):  # none was, or it is gone: a person chooses another
            pass
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._running.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to the service."""
        if self._app is None:
            text = translate(
                "A model must be in service. None is. Put a run into service on the page Models."
            )
            await problem(503, text, scope["path"])(scope, receive, send)
            return
        await self._app(scope, receive, send)

    @property
    def model(self) -> ServedModel | None:
        """Return the model in use."""
        return None if self._service is None else self._service.registry.get(None).active

    @property
    def run(self) -> str:
        """Return the name of the run in use; nothing if there is none."""
        return "" if self.model is None else self.model.path.parent.name

    @property
    def previous(self) -> str:
        """Return the name of the run that was in use before; nothing if there was none."""
        slot = None if self._service is None else self._service.registry.get(None)
        return "" if slot is None or slot.previous is None else slot.previous.path.parent.name

    def sealed(self) -> SealedModel | None:
        """Return the model in use for many images at once, each on one thread."""
        return None if self.model is None else SealedModel(self.model.path, threads=1)

    async def put(self, run: Path) -> None:
        """Put a run into service; what is under way is answered by the model before it.

        Raises:
            EyebrightError: its model cannot be served; the present one goes on.
        """
        async with self._changing:
            if self._service is None:
                model = await asyncio.to_thread(ServedModel, run)
                service = Service(Registry({NAME: model}), self._settings, self._tokens, RequestLog(None))
                await self._running.enter_async_context(service.running())
                self._service, self._app = service, create_app(service)
            else:
                slot = self._service.registry.get(None)
                slot.replace(await self._service.registry.load(slot, run.name))
            self._remember()

    async def back(self) -> None:
        """Put the model into service that was in use before.

        Raises:
            ConflictError: there was none.
        """
        async with self._changing:
            if self._service is not None:
                self._service.registry.get(None).roll_back()
                self._remember()

    def _remember(self) -> None:
        write_text(self._folder / _FILE, json.dumps({"run": self.run}, ensure_ascii=False))

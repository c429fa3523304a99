"""A service whose model answers at once: what is left is the cost of HTTP. python instant.py RUN IMAGE [full]

With ``full`` its queue is, so that every request is refused.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from eyebright.serving.registry import Registry
from eyebright.serving.request_log import RequestLog
from eyebright.serving.served_model import ServedModel
from eyebright.serving.server import Address, make_server
from eyebright.serving.service import Service, ServiceSettings


def main(run: str, image: str, state: str = "") -> None:
    model = ServedModel(Path(run))
    known = model.answer(Path(image).read_bytes())
    setattr(model, "answer", lambda source, text="": known)  # noqa: B010  (a method cannot be assigned to)
    with open(os.devnull, "w") as nowhere, Address("127.0.0.1", 0).listen() as bound:
        service = Service(Registry({"m": model}), ServiceSettings(), None, RequestLog(nowhere))
        service.workers.pending = 10**6 if state == "full" else 0
        port = bound.getsockname()[1]
        server = make_server(
            service,
            on_started=lambda: print(f"Ready at http://127.0.0.1:{port}", file=sys.stderr, flush=True),
        )
        asyncio.run(server.serve(sockets=[bound]))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A service around a finished run: in this process, or listening on this machine."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from eyebright.serving.app import create_app
from eyebright.serving.registry import Registry
from eyebright.serving.request_log import RequestLog
from eyebright.serving.security import Tokens
from eyebright.serving.served_model import ServedModel
from eyebright.serving.server import make_server
from eyebright.serving.service import Service, ServiceSettings

HOST = "http://127.0.0.1"


def service_of(
    model: ServedModel, tokens: Tokens | None = None, name: str = "textile", **settings: Any
) -> Service:
    """A service of one model under the name "textile", which writes no log."""
    return Service(Registry({name: model}), ServiceSettings(**settings), tokens, RequestLog(None))


@contextmanager
def client_of(service: Service, token: str = "") -> Iterator[TestClient]:
    """A client whose requests reach the service without a network."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with TestClient(create_app(service), HOST, headers=headers, raise_server_exceptions=False) as client:
        yield client


@contextmanager
def listening(service: Service, certificate: Path | None = None, key: Path | None = None) -> Iterator[int]:
    """The port of 127.0.0.1 on which the service listens meanwhile, in a thread of this process."""
    started = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = make_server(service, on_started=started.set, certificate=certificate, key=key)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
        thread.start()
        assert started.wait(10)
        try:
            yield bound.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True)
class Photographs:
    """Encoded images: photographs of the textile folder, and files that are none."""

    paths: list[Path]

    @property
    def first(self) -> bytes:
        return self.paths[0].read_bytes()

    @property
    def several(self) -> list[bytes]:
        return [path.read_bytes() for path in self.paths[:4]]

    @property
    def cut(self) -> bytes:
        return self.first[: len(self.first) // 2]


def bomb() -> bytes:
    """The beginning of a PNG with 400 million pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(10_000)))


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

"""Listening: one process, which answers what it accepted before it ends."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from eyebright.errors import ConfigError, NotFoundError
from eyebright.serving.app import create_app
from eyebright.serving.one_write import with_one_write
from eyebright.serving.service import Service

# What was accepted is answered within this time and the deadline of an image.
_DRAIN_SECONDS = 2
# Connections that are idle for so long are closed.
_FAREWELL_SECONDS, _TICK_SECONDS = 0.5, 0.02
# After so long a worker's thread hands the interpreter to the event loop, which has a dozen short steps a
# request; at Python's 5 ms, refusals waited up to four times as long under overload.
_SWITCH_SECONDS = 0.0005
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_IDLE_SECONDS = 75  # longer than the proxies' usual minute, so that they do not meet closed connections


@dataclass(frozen=True)
class Address:
    """Where a service listens.

    Attributes:
        host: an address of this machine, or a name of one.
        port: 0 for any free one.
        certificate: for TLS, with its key; None for none.
        key: of the certificate.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    def listen(self) -> socket.socket:
        """Return a socket that is bound, so that a port that is taken is told before a model is loaded.

        Raises:
            ConfigError: it cannot be bound.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        bound = socket.socket(family)
        try:
            if os.name == "posix":  # elsewhere it would take a port that is in use
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self.host, self.port))
        except (OSError, OverflowError) as error:
            bound.close()
            raise ConfigError(
                "The address must be free and one of this machine. {host}:{port} is not: {reason}. Choose "
                "another with --host or --port.",
                host=self.host,
                port=self.port,
                reason=getattr(error, "strerror", None) or error,
            ) from error
        return bound

    def url(self, bound: socket.socket) -> str:
        """Return the address of a bound socket as a browser takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{bound.getsockname()[1]}"


def tls_files(certificate: Path | None, key: Path | None) -> tuple[Path | None, Path | None]:
    """Return the files for TLS, both or none.

    Raises:
        ConfigError: one is missing, or they do not belong together.
        NotFoundError: one does not exist.
    """
    if certificate is None and key is None:
        return None, None
    if certificate is None or key is None:
        raise ConfigError(
            "TLS needs a certificate and its key. One was given. Give --tls-cert and --tls-key."
        )
    for path in (certificate, key):
        if not path.is_file():
            raise NotFoundError("The file for TLS must exist. {path} does not. Check the path.", path=path)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            "The certificate and its key must be PEM files that belong together. They are not: {reason}. "
            "Check both.",
            reason=error,
        ) from error
    return certificate, key


class _Server(uvicorn.Server):
    """Ends at a signal as its normal end: uvicorn would raise the signal again afterwards."""

    def __init__(
        self, config: uvicorn.Config, on_started: Callable[[], None], on_ending: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_started = on_started
        self._on_ending = on_ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell that it does."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was accepted: clients learn with their next answer that their connection ends.

        Closed at once, an idle connection might be one on which a request is on its way.
        """
        self._on_ending()
        for server in self.servers:
            server.close()
        until = time.monotonic() + _FAREWELL_SECONDS
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(_TICK_SECONDS)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let signals end the server while the block runs; only a process's main thread is told of them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        known = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        before = {number: signal.signal(number, self.handle_exit) for number in known}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def make_server(
    service: Service,
    *,
    on_started: Callable[[], None],
    certificate: Path | None = None,
    key: Path | None = None,
) -> uvicorn.Server:
    """Return a server that is not listening yet.

    Args:
        service: that answers.
        on_started: is called when requests are answered.
        certificate: for TLS; None for none.
        key: of the certificate.
    """

    def ending() -> None:
        service.workers.closing = True

    seconds = round(service.settings.deadline_seconds) + _DRAIN_SECONDS
    return make_app_server(
        create_app(service),
        seconds,
        on_started=on_started,
        on_ending=ending,
        certificate=certificate,
        key=key,
    )


def make_app_server(
    app: ASGIApp,
    drain_seconds: int,
    *,
    on_started: Callable[[], None],
    on_ending: Callable[[], None],
    certificate: Path | None = None,
    key: Path | None = None,
) -> uvicorn.Server:
    """Return a server of any application that is not listening yet, and ends in order at a signal.

    Args:
        app: that answers.
        drain_seconds: within which it answers what it accepted.
        on_started: is called when requests are answered.
        on_ending: is called when no more are accepted.
        certificate: for TLS; None for none.
        key: of the certificate.
    """
    config = uvicorn.Config(
        app,
        http=with_one_write(AutoHTTPProtocol),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=drain_seconds,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    return _Server(config, on_started, on_ending)


def run_until_stopped(server: uvicorn.Server, bound: socket.socket) -> None:
    """Run a server until a signal ends it; in a notebook, until its cell is interrupted.

    Args:
        server: that :func:`make_app_server` gave.
        bound: the socket that :meth:`Address.listen` gave.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(server.serve(sockets=[bound]))
        return
    with ThreadPoolExecutor(1) as pool:  # a thread has one loop, and that of a notebook runs already
        running = pool.submit(copy_context().run, asyncio.run, server.serve(sockets=[bound]))
        try:
            running.result()
        except KeyboardInterrupt:
            server.should_exit = True
            running.result()


def serve_until_stopped(
    service: Service, address: Address, bound: socket.socket, on_started: Callable[[], None]
) -> int:
    """Answer requests until a signal comes, then end in order.

    Args:
        service: that answers.
        address: of the service.
        bound: the socket that :meth:`Address.listen` gave.
        on_started: is called when requests are answered.

    Returns:
        The number of requests.
    """
    server = make_server(service, on_started=on_started, certificate=address.certificate, key=address.key)
    try:
        with _short_waits():
            run_until_stopped(server, bound)
    finally:
        service.log.close()
    return server.server_state.total_requests


@contextmanager
def _short_waits() -> Iterator[None]:
    """Let the interpreter hand over quickly, and look for no garbage in what is loaded, while the block runs.

    A full collection looks through all of that, 120,000 objects, and halts every answer for 75 ms.
    """
    switching = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(switching)

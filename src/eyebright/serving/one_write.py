"""Connections that send what one step of the event loop writes at once.

A server writes the head of an answer and then its body. Each write is a call of the system for which Python
gives its lock away, and with all cores at work a thread that runs a model takes it. Under load that costs
more than the answer itself.
"""

from __future__ import annotations

import asyncio
from typing import Any


class _Writer:
    """A transport whose writes wait for the end of the step; all else is the transport's own."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = (
            transport  # of a socket or of TLS, which have more in common than any type says
        )
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data soon."""
        if not data:
            return
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)

    def close(self) -> None:
        """Close the connection after what was written."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._transport.write(b"".join(waiting))


def with_one_write(protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """Return a protocol like another one that writes once a step.

    Args:
        protocol: of a server, such as HTTP.
    """

    class OneWrite(protocol):  # type: ignore[valid-type, misc]
        """Hands the protocol a transport that collects what it writes."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            """Begin a connection."""
            super().connection_made(_Writer(transport))

    return OneWrite

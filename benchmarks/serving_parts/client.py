"""A load generator that costs little: HTTP/1.1 over kept connections, closed loop or open loop."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

TIMEOUT_SECONDS = 10.0


@dataclass
class Load:
    """What a load led to.

    Attributes:
        seconds: that it lasted.
        latencies: seconds by status; status 0 stands for none within 10 s.
    """

    seconds: float = 0.0
    latencies: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, seconds: float) -> None:
        self.latencies.setdefault(status, []).append(seconds)

    @property
    def counts(self) -> Counter[int]:
        return Counter({status: len(found) for status, found in self.latencies.items()})

    @property
    def rate(self) -> float:
        return self.counts[200] / self.seconds

    def percentile(self, share: float, status: int = 200) -> float:
        return float(np.percentile(self.latencies.get(status) or [float("nan")], share))


class Connection:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes, kind: str = "image/jpeg") -> int:
        """Return the status of a request; 0 if there is none in time, or the connection broke."""
        try:
            return await asyncio.wait_for(self._post(path, body, kind), TIMEOUT_SECONDS)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            await self.close()
            return 0

    async def _post(self, path: str, body: bytes, kind: str) -> int:
        if self._reader is not None and self._reader.at_eof():  # nothing came for 75 s, so it was closed
            await self.close()
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await self._writer.drain()
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lower = answer.lower()
        at = lower.index(b"content-length:") + 15
        await self._reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
        if b"connection: close" in lower:
            await self.close()
        return int(answer[9:12])

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def closed_loop(
    port: int, path: str, bodies: Sequence[bytes], connections: int, seconds: float, kind: str = "image/jpeg"
) -> Load:
    """Send as many requests as come back, over so many connections."""
    load, start = Load(), time.perf_counter()

    async def one(number: int) -> None:
        connection, i = Connection(port), number
        while (begin := time.perf_counter()) - start < seconds:
            status = await connection.post(path, bodies[i % len(bodies)], kind)
            load.add(status, time.perf_counter() - begin)
            i += connections
        await connection.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    load.seconds = time.perf_counter() - start
    return load


async def open_loop(
    port: int, path: str, bodies: Sequence[bytes], rate: float, seconds: float, seed: int = 0
) -> Load:
    """Send requests at random moments, ``rate`` a second in the mean, whatever comes back."""
    load, random = Load(), np.random.default_rng(seed)
    gc.collect()
    gc.disable()  # a full collection here took 60 ms, which the service seemed to take
    start = time.perf_counter()
    idle: list[Connection] = []

    async def one(body: bytes, due: float) -> None:
        connection = idle.pop() if idle else Connection(port)
        status = await connection.post(path, body)
        load.add(status, time.perf_counter() - due)
        idle.append(connection)

    tasks, due, i = [], start, 0
    while due - start < seconds:
        due += float(random.exponential(1 / rate))
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(bodies[i % len(bodies)], due)))
        i += 1
    await asyncio.gather(*tasks)
    load.seconds = time.perf_counter() - start
    gc.enable()
    for connection in idle:
        await connection.close()
    return load

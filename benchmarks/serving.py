"""The service of `eyebright serve` under load, under attack, and beside others with the same model.

python benchmarks/serving.py rate RUN IMAGES --peer fastapi=PYTHON --peer litserve=PYTHON …
python benchmarks/serving.py load RUN IMAGES      70 % of its rate, and three times its rate
python benchmarks/serving.py http RUN IMAGES      what a request costs besides its model, answered and refused
python benchmarks/serving.py attack RUN IMAGES    a body of 1 GB, and 10,000 hostile bodies
python benchmarks/serving.py soak RUN IMAGES --seconds 3600 [--per-second 5]
python benchmarks/serving.py schema RUN --schemathesis PROGRAM

RUN is a finished run, IMAGES a folder of JPEGs. PYTHON is an interpreter with onnxruntime, Pillow and the
peer (fastapi with python-multipart, litserve, bentoml). Client and service share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "serving_parts"))

from client import Connection, closed_loop, open_loop
from hostile import hostile_bodies

PARTS = Path(__file__).parent / "serving_parts"
CONNECTIONS = 32
TYPE = "multipart/form-data; boundary=photograph"
TOKEN = "benchmark-" + "t" * 16
READY = re.compile(r"Ready at http://127\.0\.0\.1:(\d+)")


def form(image: bytes) -> bytes:
    head = b'--photograph\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
    return head + b"Content-Type: image/jpeg\r\n\r\n" + image + b"\r\n--photograph--\r\n"


@contextmanager
def service(run: str, *words: str) -> Iterator[tuple[int, int]]:
    """Yield process and port of `eyebright serve`."""
    with started([sys.executable, "-m", "eyebright", "serve", run, "--port", "0", *words]) as found:
        yield found


@contextmanager
def started(command: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield process and port of a service that says when it is ready."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        found = (READY.search(line) for line in process.stderr or ())
        port = next((int(match[1]) for match in found if match), 0)
        if not port:
            raise SystemExit("The service did not start.")
        yield process.pid, port
    finally:
        start = time.perf_counter()
        process.terminate()
        print(f"ended with {process.wait()} in {time.perf_counter() - start:.1f} s")


@contextmanager
def peer(name: str, python: str, run: str) -> Iterator[tuple[int, int]]:
    """Yield process and port of another service with the same model."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = PARTS / f"peer_{name}.py"
    command = [python, str(script), run, str(port)]
    if name == "bentoml":
        serve = [str(Path(python).parent / "bentoml"), "serve", f"{script.stem}:Classifier"]
        command = [*serve, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=PARTS,
        env={**os.environ, "RUN": run, "BENTOML_DO_NOT_TRACK": "True"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port)
        yield process.pid, port
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)


def wait_for(port: int) -> None:
    for _ in range(240):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.25)
    raise SystemExit("The peer did not start.")


def process_folders(pid: int) -> Iterator[Path]:
    """Yield the folders in /proc of a process, its children and its group."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent, group = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1:3]
            if pid in (int(folder.name), int(parent), int(group)):
                yield folder


def group_cpu_seconds(pid: int) -> float:
    """Processor seconds of a process and those that it started."""
    total = 0
    for folder in process_folders(pid):
        total += sum(map(int, (folder / "stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def rate(args: argparse.Namespace, images: Sequence[bytes]) -> None:
    """The engine alone, the service and the peers, in turn."""
    peers = dict(text.split("=", 1) for text in args.peer)
    for _ in range(args.rounds):
        alone = subprocess.run(
            [sys.executable, str(PARTS / "engine.py"), args.run, str(args.images), str(args.seconds)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split(maxsplit=2)
        per_second, busy = float(alone[0]), 1000 * float(alone[1])
        print(f"engine   {per_second:6.1f}/s  {busy:6.2f} ms of processor  {alone[2].strip()}")
        with service(args.run, "--deadline", "10s") as (pid, port):
            tell("service", pid, port, images, args.seconds)
        for name, python in peers.items():
            with peer(name, python, args.run) as (pid, port):
                tell(name, pid, port, images, args.seconds)


def tell(name: str, pid: int, port: int, images: Sequence[bytes], seconds: float) -> None:
    bodies = [form(image) for image in images]
    asyncio.run(closed_loop(port, "/predict", bodies, CONNECTIONS, 2, TYPE))
    before, own = group_cpu_seconds(pid), time.process_time()
    load = asyncio.run(closed_loop(port, "/predict", bodies, CONNECTIONS, seconds, TYPE))
    busy, client, done = group_cpu_seconds(pid) - before, time.process_time() - own, sum(load.counts.values())
    print(
        f"{name:8} {load.rate:6.1f}/s  {1000 * busy / done:6.2f} ms of processor, the client "
        f"{1000 * client / done:.2f}  p50 {1000 * load.percentile(50):.0f} ms  p99 "
        f"{1000 * load.percentile(99):.0f} ms  {dict(load.counts)}  {memory_mb(pid):.0f} MB",
        flush=True,
    )


def memory_mb(pid: int) -> float:
    """Resident memory of a process and those that it started."""
    total = 0
    for status in (folder / "status" for folder in process_folders(pid)):
        total += int(re.findall(r"VmRSS:\s+(\d+)", status.read_text())[0])
    return total / 1024


def load(args: argparse.Namespace, images: Sequence[bytes]) -> None:
    """Latencies at 70 % of the rate, and refusals at three times the rate."""
    with service(args.run) as (_, port):
        full = asyncio.run(closed_loop(port, "/predict", images, CONNECTIONS, args.seconds)).rate
        print(f"rate {full:.1f}/s at {CONNECTIONS} connections")
        some = asyncio.run(open_loop(port, "/predict", images, 0.7 * full, args.seconds))
        p50, p99 = some.percentile(50), some.percentile(99)
        print(f"70 %: p50 {1000 * p50:.1f} ms, p99 {1000 * p99:.1f} ms = {p99 / p50:.1f} p50, {some.counts}")
        over = asyncio.run(open_loop(port, "/predict", images, 3 * full, args.seconds))
        refused = [1000 * over.percentile(share, 429) for share in (50, 99, 100)]
        print(f"300 %: {over.counts}, answered {over.rate:.1f}/s, no answer to {over.counts[0]}")
        print(f"answered with p50 {over.percentile(50):.2f} s, p99 {over.percentile(99):.2f} s")
        print("refused with p50 {:.1f} ms, p99 {:.1f} ms, at most {:.1f} ms".format(*refused))


def http_cost(args: argparse.Namespace, images: Sequence[bytes]) -> None:
    """Processor time of requests whose model answers at once, and of those that are refused."""
    image = next(str(path) for path in sorted(args.images.rglob("*.jpg")))
    for state in ("", "full"):
        with started([sys.executable, str(PARTS / "instant.py"), args.run, image, state]) as (pid, port):
            asyncio.run(closed_loop(port, "/predict", images, 8, 1))
            before = group_cpu_seconds(pid)
            load = asyncio.run(closed_loop(port, "/predict", images, 8, args.seconds))
            busy, done = group_cpu_seconds(pid) - before, sum(load.counts.values())
            print(f"{'refused' if state else 'answered'}: {1000 * busy / done:.3f} ms, {dict(load.counts)}")


def attack(args: argparse.Namespace, images: Sequence[bytes]) -> None:
    """A body of 1 GB, announced and not, and hostile bodies."""
    with service(args.run) as (pid, port):
        before = memory_mb(pid)
        for announced in (True, False):
            written = written_mb(pid)
            print(
                f"1 GB, {'announced' if announced else 'in parts'}: status {large_body(port, announced)}, "
                f"{written_mb(pid) - written:.1f} MB written, memory +{memory_mb(pid) - before:.0f} MB"
            )
        name = Path(args.run).resolve().name
        found = asyncio.run(send_hostile(port, hostile_bodies(images, name, args.count, seed=0)))
        print(f"{args.count} hostile bodies: {dict(sorted(found.items()))}")
        print(f"memory +{memory_mb(pid) - before:.0f} MB")
        print(f"then {asyncio.run(Connection(port).post('/predict', images[0]))}")


def large_body(port: int, announced: bool) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    block, count = bytes(2**20), 1024
    headers = {"Content-Type": TYPE} | ({"Content-Length": str(count * len(block))} if announced else {})
    head = form(b"").partition(b"\r\n--photograph--")[0]
    body = iter([head, *[block] * count][announced:])
    try:
        connection.request("POST", "/predict", body, headers, encode_chunked=not announced)
    except (BrokenPipeError, ConnectionResetError):
        return 0
    return connection.getresponse().status


def written_mb(pid: int) -> float:
    """What a process handed to its files, whatever reached the disk."""
    text = Path(f"/proc/{pid}/io").read_text()
    return int(re.findall(r"^write_bytes: (\d+)", text, re.MULTILINE)[0]) / 1e6


async def send_hostile(port: int, requests: Iterator[tuple[str, str, bytes]]) -> Counter[int]:
    found: Counter[int] = Counter()

    async def one() -> None:
        connection = Connection(port)
        for path, kind, body in requests:
            found[await connection.post(path, body, kind)] += 1

    await asyncio.gather(*(one() for _ in range(8)))
    return found


def soak(args: argparse.Namespace, images: Sequence[bytes]) -> None:
    """Memory and errors of a long load: at 16 connections, or of so many requests a second."""
    with service(args.run, "--deadline", "10s") as (pid, port):
        parts, counts = 10, Counter[int]()
        asyncio.run(closed_loop(port, "/predict", images, 2, 2))
        print(f"after the first 2 s: {memory_mb(pid):.1f} MB", flush=True)
        for part in range(parts):
            seconds = args.seconds / parts
            loop = (
                open_loop(port, "/predict", images, args.per_second, seconds, seed=part)
                if args.per_second
                else closed_loop(port, "/predict", images, 16, seconds)
            )
            counts += asyncio.run(loop).counts
            print(f"{part + 1:2}/{parts}: {memory_mb(pid):.1f} MB, {dict(counts)}", flush=True)


def schema(args: argparse.Namespace, _: Sequence[bytes]) -> None:
    """Schemathesis over the OpenAPI document."""
    checks = (
        "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
        "response_schema_conformance,unsupported_method"
    )
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder, "tokens.txt")
        tokens.write_text(TOKEN)
        tokens.chmod(0o600)
        with service(args.run, "--deadline", "30s", "--token-file", str(tokens)) as (_pid, port):
            words = ["run", f"http://127.0.0.1:{port}/openapi.json", "--checks", checks, "--seed", "0"]
            words += ["-H", f"Authorization: Bearer {TOKEN}", "--max-examples", str(args.count)]
            subprocess.run([args.schemathesis, *words], check=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["rate", "load", "http", "attack", "soak", "schema"])
    parser.add_argument("run")
    parser.add_argument("images", type=Path, nargs="?")
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument(
        "--per-second", type=float, default=0.0, help="requests of a soak (default: as many as go)"
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--schemathesis", default="schemathesis")
    args = parser.parse_args()
    images = [path.read_bytes() for path in sorted(args.images.rglob("*.jpg"))] if args.images else []
    measured = {
        "rate": rate,
        "load": load,
        "http": http_cost,
        "attack": attack,
        "soak": soak,
        "schema": schema,
    }
    measured[args.what](args, images)


if __name__ == "__main__":
    main()

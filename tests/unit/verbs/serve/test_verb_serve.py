"""`eyebright serve` as a process: it answers, and ends in order with nothing lost."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import command, environment, eyebright, refused

from eyebright.runs.run import Run

READY = re.compile(r"Ready at http://127\.0\.0\.1:(\d+)")


@contextmanager
def _running(*words: str | Path) -> Iterator[tuple[subprocess.Popen, int]]:
    process = subprocess.Popen(
        command("serve", *words, "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        ports = (READY.search(line) for line in iter(process.stderr.readline, ""))
        yield process, int(next(match for match in ports if match)[1])
    finally:
        process.kill()
        process.communicate()


@pytest.mark.xdist_group("alone")
def test_it_answers_and_ends_with_nothing_lost(textile_run: Run, textile: Path):
    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while True:
            try:
                connection.request("POST", "/predict", photo)
                sent.append(1)
                response = connection.getresponse()
                response.read()
                answered.append(response.status)
                if len(answered) >= 20:
                    enough.set()
            except ConnectionRefusedError:
                return

    photo = next((textile / "val").rglob("*.jpg")).read_bytes()
    sent: list[int] = []
    answered: list[int] = []
    enough = threading.Event()
    with _running(textile_run.directory) as (process, port):
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert enough.wait(20)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        for thread in threads:
            thread.join()
    assert process.returncode == 0, err
    assert len(sent) == len(answered)
    assert set(answered) == {200}
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert sum(line["event"] == "request" and line["status"] == 200 for line in lines) == len(answered)
    assert f"Answered {len(answered)} requests" in out


def test_other_addresses_need_tokens(textile_run: Run):
    done = eyebright("serve", textile_run.directory, "--host", "0.0.0.0")
    assert "needs tokens" in refused(done, 2)


def test_what_cannot_be_served_is_told_at_once(textile_run: Run, tmp_path: Path):
    assert "must exist" in refused(eyebright("serve", tmp_path / "nothing", "--port", "0"))
    assert "--tls-key" in refused(eyebright("serve", textile_run.directory, "--tls-cert", "a.pem"), 2)
    assert "Add --log" in refused(eyebright("serve", textile_run.directory, "--keep-images", "5"), 2)
    taken = eyebright(
        "serve", textile_run.directory, "--port", "0", "--host", "192.0.2.1", "--token-file", "x"
    )
    assert "token file must exist" in refused(taken)
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("t" * 20)
    words = ("--port", "0", "--host", "192.0.2.1", "--token-file", tokens)
    assert "one of this machine" in refused(eyebright("serve", textile_run.directory, *words), 2)

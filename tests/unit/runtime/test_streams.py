"""Standard streams that are full, closed or left early: one sentence, and the right exit status."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyebright.runtime.streams import print_line

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
PREDICT = "predict no/such/model no/such/image"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which EB stands for the command."""
    command = line.replace("EB", f"'{sys.executable}' -m eyebright")
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=os.environ, timeout=60)


@pytest.mark.parametrize("words", ["--help", "models --json"])
def test_a_full_disk_at_standard_output_is_told(words: str) -> None:
    done = shell(f"EB {words} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == (
        "Standard output must be writable. Writing the result failed: No space left on device. Free some "
        "space, or send the output elsewhere.\n"
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("EB --version >&-", 0),
        ("EB --version <&- >&- 2>&-", 0),
        (f"EB {PREDICT} 2>&-", 1),
        (f"EB {PREDICT} 2>/dev/full", 1),
        (f"EB {PREDICT} >/dev/full 2>/dev/full", 1),
    ],
)
def test_closed_streams_and_a_full_standard_error_change_nothing_else(line: str, status: int) -> None:
    done = shell(line)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_a_file_never_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "from eyebright.runtime.streams import prepare_streams; prepare_streams(); "
        f"print(open({str(tmp_path / 'a')!r}, 'w').fileno(), file=open({str(tmp_path / 'b')!r}, 'w'))"
    )
    done = subprocess.run(["bash", "-c", f'"{sys.executable}" -c "{code}" <&- >&- 2>&-'], check=False)
    assert done.returncode == 0
    assert int((tmp_path / "b").read_text(encoding="utf-8")) > 2


def test_lines_cannot_steer_the_terminal() -> None:
    out = io.StringIO()
    print_line("a\x1b[2J\u202eb\nc 图 \N{IDEOGRAPHIC SPACE}", out)
    assert out.getvalue() == "a\\x1b[2J\\u202eb\nc 图 \N{IDEOGRAPHIC SPACE}\n"

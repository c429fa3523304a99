"""Two processes instead of one, and a process that may not have more memory."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("accelerate")

from finetune_material import started  # noqa: E402

pytestmark = pytest.mark.xdist_group("alone")

VIT = {"name": "test_vit", "img_size": 64}  # without batch normalisation, whose statistics are of a part
RECIPE: dict[str, Any] = {"epochs": 2, "batch": 15, "device": "cpu", "patience": 0}


def result(out: Path, rank: int = 0) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / f"result-{rank}.json").read_text())
    return told


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("options", "micro_batches"),
    [({}, [None, None]), ({"ema_decay": 0.9, "micro_batch": 3}, [3, 5])],
    ids=["plain", "parts of two sizes, average"],
)
def test_two_processes_learn_what_one_does(textile, tmp_path, options, micro_batches):
    recipe = {**RECIPE, **options}
    assert started(textile, tmp_path / "one", recipe, net=VIT).wait() == 0
    group = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(),
    }
    both = [
        started(
            textile,
            tmp_path / "two",
            {**recipe, "micro_batch": size},
            {**group, "RANK": str(n), "LOCAL_RANK": str(n)},
            net=VIT,
        )
        for n, size in enumerate(micro_batches)
    ]
    assert [process.wait() for process in both] == [0, 0]
    one, first, second = result(tmp_path / "one"), result(tmp_path / "two"), result(tmp_path / "two", 1)
    assert (one["processes"], first["processes"]) == (1, 2)
    assert first["losses"] == second["losses"]
    for alone, together in zip(one["losses"], first["losses"], strict=True):
        assert together == pytest.approx(alone, abs=1e-5)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the address space")
def test_a_real_limit_of_memory_is_lived_with(textile, tmp_path):
    recipe = {**RECIPE, "batch": 72, "epochs": 1}
    # Each arena of malloc reserves 64 MB of addresses, which this limit would take for memory.
    one_arena = {"MALLOC_ARENA_MAX": "1"}
    assert started(textile, tmp_path, recipe, one_arena, net={"enlarge": 8}, room_mb=1000).wait() == 0
    found = result(tmp_path)
    assert 1 <= found["micro_batch"] < 72
    assert any("Out of memory at micro-batch 72" in note for note in found["notes"])

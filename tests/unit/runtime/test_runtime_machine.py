"""What is read of the machine: true of this one, and right for containers that are described in files."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from eyebright.runtime import machine


@pytest.fixture(autouse=True)
def _nothing_remembered():
    machine._read.cache_clear()
    yield
    machine._read.cache_clear()


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    return tmp_path


def test_this_machine():
    assert machine.processor_name()
    assert 1 <= machine.usable_cores() <= (os.cpu_count() or 1)
    memory = machine.memory_bytes()
    assert memory is not None
    assert 0 < memory[1] <= memory[0]
    assert machine.disk_free_bytes(Path("some/where/that/is/not")) > 0


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
def test_a_container_limits_cores_and_memory(cgroups: Path):
    (cgroups / "cpu.max").write_text("100000 100000\n")
    (cgroups / "memory.max").write_text("1000000\n")
    assert machine.usable_cores() == 1
    assert machine.memory_bytes() == (1_000_000, 1_000_000)


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
def test_limits_of_the_first_version_of_cgroups(cgroups: Path):
    (cgroups / "cpu").mkdir()
    (cgroups / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (cgroups / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert machine.usable_cores() == 1  # half a core is still one thread


@pytest.mark.parametrize(("limit", "period"), [("max", "100000"), ("-1", "100000"), ("", "")])
def test_no_limit(cgroups: Path, limit: str, period: str):
    (cgroups / "cpu.max").write_text(f"{limit} {period}\n")
    assert machine._cpu_quota() is None


def test_without_affinity_all_cores_count(cgroups: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS and Windows
    assert machine.usable_cores() == os.cpu_count()


@pytest.mark.parametrize(
    ("cpuinfo", "name", "sets"),
    [
        (
            "model name\t: A Processor\nflags\t\t: sse avx2 avx512f avx512_vnni amx_tile\n",
            "A Processor",
            ("AVX2", "AVX-512", "VNNI", "AMX"),
        ),
        ("Features\t: fp asimd bf16\nModel\t\t: A Board\n", "A Board", ("NEON", "BF16")),
        ("", platform.machine(), None),
    ],
)
@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
def test_instruction_sets(
    monkeypatch: pytest.MonkeyPatch, cpuinfo: str, name: str, sets: tuple[str, ...] | None
):
    monkeypatch.setattr(machine, "_read", lambda path: cpuinfo)
    assert machine.processor_name() == name
    assert machine.instruction_sets() == sets


@pytest.mark.skipif(os.name == "nt", reason="the stand-in program is a shell script")
def test_gpus_are_what_nvidia_smi_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB, 570.1'\necho\n")
    program.chmod(0o755)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == ("NVIDIA H200, 143771 MiB, 570.1",)
    program.write_text("#!/bin/sh\nexit 9\n")
    assert machine.gpus() == ()


def test_a_tpu_is_told_by_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TPU_NAME", "local")
    assert machine.has_tpu()

"""What the machine has, read without torch or psutil: cores, instruction sets, memory, disk, accelerators."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

# How libraries say that memory ran out.
_NO_MEMORY = (
    "out of memory",  # CUDA, MPS, XPU
    "can't allocate memory",  # PyTorch's CPU allocator
    "ALLOC_FAILED",  # cuBLAS and cuDNN
    "RESOURCE_EXHAUSTED",  # XLA
    "bad_alloc",
    "Failed to allocate memory",  # ONNX Runtime
    "could not create a primitive",  # oneDNN tells no reason, and hardly knows another
    "could not create a memory object",
    "failed to map segment",  # of a library that is loaded
)
_CGROUPS = Path("/sys/fs/cgroup")
# The name in /proc/cpuinfo (x86 "flags", Arm "Features") and the name that people know.
_INSTRUCTION_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "VNNI",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "asimddp": "DOTPROD",
    "i8mm": "I8MM",
    "bf16": "BF16",
    "sve": "SVE",
}


def processor_name() -> str:
    """Return the processor's name, or its architecture where the system does not say."""
    if sys.platform == "darwin":
        name = _output("sysctl", "-n", "machdep.cpu.brand_string")
    elif sys.platform == "win32":
        name = os.environ.get("PROCESSOR_IDENTIFIER", "")
    else:
        name = _cpuinfo("model name") or _cpuinfo("Model")
    return name or platform.machine()


def instruction_sets() -> tuple[str, ...] | None:
    """Return the instruction sets that speed up inference, in fixed order; None where unknown."""
    if sys.platform == "darwin":
        return _darwin_instruction_sets()
    words = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    if not words:
        return None
    return tuple(dict.fromkeys(name for word, name in _INSTRUCTION_SETS.items() if word in words))


def usable_cores() -> int:
    """Return the cores that this process may use: those it is bound to, within its container's quota."""
    # macOS and Windows bind no process to cores.
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota()
    return bound if quota is None else max(1, min(bound, int(quota)))


def memory_bytes() -> tuple[int, int] | None:
    """Return total and available memory, within the container's limit.

    None where the system does not say.
    """
    if sys.platform == "darwin":
        total = _output("sysctl", "-n", "hw.memsize")
        return (int(total), _darwin_available_bytes() or int(total)) if total.isdigit() else None
    if sys.platform == "win32":
        return _windows_memory_bytes()
    kilobytes: dict[str, str] = dict(
        re.findall(r"^(\w+):\s+(\d+) kB", _read(Path("/proc/meminfo")), re.MULTILINE)
    )
    if "MemAvailable" not in kilobytes:
        return None
    total_bytes, available = (int(kilobytes[name]) * 1024 for name in ("MemTotal", "MemAvailable"))
    limit = _memory_limit_bytes()
    return (total_bytes, available) if limit is None else (min(total_bytes, limit), min(available, limit))


def peak_memory_bytes() -> int | None:
    """Return the most memory that this process has held; None where the system does not say."""
    # Not by getrusage on Linux: what is counted there begins with the peak of whoever started the process.
    status = Path("/proc/self/status")
    if status.is_file():
        match = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"), re.MULTILINE)
        return int(match[1]) * 1024 if match else None
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def disk_free_bytes(path: Path) -> int:
    """Return free space where ``path`` is, or will be."""
    there = next(p for p in [path.absolute(), *path.absolute().parents] if p.exists())
    return shutil.disk_usage(there).free


def gpus() -> tuple[str, ...]:
    """Return NVIDIA GPUs found by nvidia-smi, and Apple's."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return (f"{processor_name()} (MPS)",)
    lines = _output("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    return tuple(line.strip() for line in lines.splitlines() if line.strip())


def has_tpu() -> bool:
    """Return whether the environment or a device file names a TPU."""
    named = any(name in os.environ for name in ("TPU_NAME", "TPU_WORKER_ID", "COLAB_TPU_ADDR"))
    return named or any(Path("/dev").glob("accel[0-9]*"))


def mac_battery() -> bool:
    """Return whether macOS tells of a battery of its own, as laptops have."""
    return sys.platform == "darwin" and "InternalBattery" in _output("pmset", "-g", "batt")


@cache
def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _output(*command: str) -> str:
    """Return what a system program prints; nothing where it does not exist, fails or hangs."""
    program = shutil.which(command[0])
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=1.2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpuinfo(key: str) -> str:
    match = re.search(rf"^{key}\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")), re.MULTILINE)
    return match[1].strip() if match else ""


def _cpu_quota() -> float | None:
    """Return cores by the container's quota, of cgroup version 2 or 1."""
    limit, _, period = _read(_CGROUPS / "cpu.max").partition(" ")
    if not limit:
        limit = _read(_CGROUPS / "cpu" / "cpu.cfs_quota_us")
        period = _read(_CGROUPS / "cpu" / "cpu.cfs_period_us")
    try:
        cores = int(limit) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or no such file
        return None
    return cores if cores > 0 else None


def _memory_limit_bytes() -> int | None:
    text = _read(_CGROUPS / "memory.max") or _read(_CGROUPS / "memory" / "memory.limit_in_bytes")
    return int(text) if text.strip().isdigit() else None


def _darwin_instruction_sets() -> tuple[str, ...]:
    if platform.machine() == "arm64":
        bf16 = _output("sysctl", "-n", "hw.optional.arm.FEAT_BF16") == "1"
        return ("NEON", "BF16") if bf16 else ("NEON",)
    words = _output("sysctl", "-n", "machdep.cpu.leaf7_features").lower().split()
    return tuple(name for word, name in _INSTRUCTION_SETS.items() if word in words)


def _darwin_available_bytes() -> int | None:
    """Return the bytes of free, inactive and speculative pages, which are free without swapping."""
    text = _output("vm_stat")
    page = re.search(r"page size of (\d+) bytes", text)
    counts = re.findall(r"^Pages (?:free|inactive|speculative):\s+(\d+)\.", text, re.MULTILINE)
    return int(page[1]) * sum(map(int, counts)) if page else None


def _windows_memory_bytes() -> tuple[int, int] | None:
    import ctypes

    if sys.platform != "win32":
        return None
    # MEMORYSTATUSEX: two 32-bit words (length, load), then 64-bit ones, of which total and free come first.
    status = (ctypes.c_uint64 * 8)()
    status[0] = ctypes.sizeof(status)
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status[1]), int(status[2])


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out, on whatever device."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError | ImportError) and any(sign in str(error) for sign in _NO_MEMORY)


def release_memory() -> None:
    """Return freed memory to the system, which glibc and Arrow would else keep for later."""
    gc.collect()
    if "pyarrow" in sys.modules:
        sys.modules["pyarrow"].default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim:
            trim(0)

"""Where this runs, as far as the system tells: a hosted notebook, a laptop, a server; and Drive there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eyebright.runtime.machine import mac_battery

Kind = Literal["colab", "kaggle", "laptop", "server", "computer"]

#: Where Colab shows Google Drive once it is mounted.
COLAB_MOUNT = Path("/content/drive")
#: Names the root of Google Drive, or of a folder that stands for it, wherever that is mounted.
DRIVE_VARIABLE = "EYEBRIGHT_DRIVE"
_COLAB = ("COLAB_RELEASE_TAG", "COLAB_JUPYTER_IP", "COLAB_GPU")
_KAGGLE = ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_URL_BASE")
# Codes of SMBIOS, "System Enclosure or Chassis Types".
_LAPTOPS = {"8", "9", "10", "14", "30", "31", "32"}
_SERVERS = {"17", "23", "28", "29"}


@dataclass(frozen=True)
class Surroundings:
    """Where this runs.

    Attributes:
        kind: what it is.
        evidence: the variable, file or property that says so; empty where nothing did.
    """

    kind: Kind
    evidence: str


def surroundings(variables: Mapping[str, str] | None = None, root: Path = Path("/")) -> Surroundings:
    """Return where this runs.

    Args:
        variables: the environment; None for this process's.
        root: of the file system.
    """
    known: Mapping[str, str] = os.environ if variables is None else variables
    hosted: tuple[tuple[Kind, tuple[str, ...]], ...] = (("colab", _COLAB), ("kaggle", _KAGGLE))
    for kind, names in hosted:
        for name in names:
            if name in known:
                return Surroundings(kind, f"${name}")
    if (root / "kaggle" / "working").is_dir():
        return Surroundings("kaggle", "/kaggle/working")
    if sys.platform == "darwin":
        return _mac()
    return _by_chassis(root)


def drive_root(variables: Mapping[str, str] | None = None) -> Path | None:
    """Return the root of Google Drive where it is mounted; None where it is not."""
    known: Mapping[str, str] = os.environ if variables is None else variables
    named = known.get(DRIVE_VARIABLE)
    root = Path(named) if named else COLAB_MOUNT / "MyDrive"
    return root if root.is_dir() else None


def _by_chassis(root: Path) -> Surroundings:
    system = root / "sys" / "class"
    battery = next((system / "power_supply").glob("BAT*"), None)
    if battery is not None:
        return Surroundings("laptop", f"/{battery.relative_to(root)}")
    for name in (".dockerenv", "run/.containerenv"):
        if (root / name).exists():
            return Surroundings("server", f"/{name}")
    chassis = system / "dmi" / "id" / "chassis_type"
    try:
        code = chassis.read_text(encoding="utf-8").strip()
    except OSError:
        code = ""
    told = f"/{chassis.relative_to(root)}: {code}"
    if code in _LAPTOPS:
        return Surroundings("laptop", told)
    if code in _SERVERS or (root / "proc" / "xen").is_dir() or _is_virtual(root):
        return Surroundings("server", told if code in _SERVERS else "hypervisor")
    return Surroundings("computer", told if code else "")


def _is_virtual(root: Path) -> bool:
    """Return whether the processor says that a hypervisor shares it out."""
    try:
        text = (root / "proc" / "cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return "hypervisor" in flags.split()


def _mac() -> Surroundings:
    if mac_battery():
        return Surroundings("laptop", "pmset -g batt")
    return Surroundings("computer", "")

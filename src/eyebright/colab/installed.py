"""Whether what is loaded is what is installed: if not, only a restart of the notebook helps."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from eyebright.report.display import Displayed
from eyebright.text.language import translate

#: Packages that notebooks load before anyone asks for them, or that others are compiled against, by module.
_SHARED = {
    "numpy": "numpy",
    "scipy": "scipy",
    "PIL": "pillow",
    "pyarrow": "pyarrow",
    "pandas": "pandas",
    "google.protobuf": "protobuf",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "torch": "torch",
    "torchvision": "torchvision",
}


@dataclass(frozen=True, repr=False)
class InstalledPackages(Displayed):
    """Versions of packages that are loaded.

    Attributes:
        same: package to version, where the loaded one is the installed one.
        changed: package to (loaded, installed), where pip has changed it since it was loaded.
    """

    same: Mapping[str, str]
    changed: Mapping[str, tuple[str, str]]

    @property
    def restart_needed(self) -> bool:
        """Return whether the notebook must be restarted before anything is computed."""
        return bool(self.changed)

    def display(self) -> Iterator[str]:
        """Yield what differs and what to do, or that nothing does."""
        for name, (loaded, installed) in self.changed.items():
            yield translate(
                "{name} {installed} is installed, but {loaded} is loaded. Restart the runtime (Runtime > "
                "Restart session), then run all cells again.",
                name=name,
                installed=installed,
                loaded=loaded,
            )
        if not self.changed:
            names = ", ".join(f"{name} {number}" for name, number in self.same.items())
            yield translate(
                "Loaded and installed versions agree ({names}). No restart is needed.", names=names or "-"
            )


def check_install() -> InstalledPackages:
    """Compare the packages that are loaded with those that are installed; nothing is loaded or changed."""
    same: dict[str, str] = {}
    changed: dict[str, tuple[str, str]] = {}
    for module_name, package in _SHARED.items():
        loaded = _loaded_version(sys.modules.get(module_name))
        installed = _installed_version(package)
        if loaded is None or installed is None:
            continue
        # A local label, as in 2.9.0+cu128, may stand in one of them only.
        if loaded.partition("+")[0] == installed.partition("+")[0]:
            same[package] = loaded
        else:
            changed[package] = (loaded, installed)
    return InstalledPackages(same, changed)


def _loaded_version(module: ModuleType | None) -> str | None:
    found = getattr(module, "__version__", None)
    return None if found is None else str(found)


def _installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

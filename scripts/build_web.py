"""Renews what the offline page runs on: onnxruntime-web's WebAssembly build, from npm, compressed.

    python scripts/build_web.py

Needs npm, and only whoever makes a release does. The version is pinned and the package's integrity hash is
checked, so what lies in `src/eyebright/exporting/web/runtime/` is what was published. The page needs three
of the package's files; of the builds that it has, the one without WebGPU is the smallest.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
RUNTIME = Path(__file__).parents[1] / "src" / "eyebright" / "exporting" / "web" / "runtime"


def fetch(folder: Path) -> Path:
    """Downloads the package with npm and checks its hash.

    Raises:
        SystemExit: the hash is another.
    """
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"onnxruntime-web@{VERSION}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    package = next(folder.glob("*.tgz"))
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode("ascii")
    if f"sha512-{digest}" != INTEGRITY:
        raise SystemExit(f"onnxruntime-web {VERSION} must have the hash {INTEGRITY}. Got sha512-{digest}.")
    return package


def write(package: Path, folder: Path) -> None:
    """Takes the files out, compresses them without a date, and notes where they come from."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package) as archive:
        for name in FILES:
            member = archive.extractfile(f"package/dist/{name}")
            if member is None:
                raise SystemExit(f"onnxruntime-web {VERSION} must hold dist/{name}. It does not.")
            (folder / f"{name}.gz").write_bytes(gzip.compress(member.read(), 9, mtime=0))
    facts = {"package": "onnxruntime-web", "version": VERSION, "integrity": INTEGRITY}
    (folder / "runtime.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Renews the files and says how large they are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=RUNTIME)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        write(fetch(Path(folder)), out)
    for path in sorted(out.iterdir()):
        print(f"{path}: {path.stat().st_size / 1e6:.3f} MB")


if __name__ == "__main__":
    main()

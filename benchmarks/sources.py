"""How long the same images take to be listed, hashed and measured, whatever they lie in.

    python benchmarks/sources.py FOLDER

FOLDER holds class folders. Seconds are those of the processor, which other work on the same cores does not
lengthen; the cache of features is not touched.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from eyebright.data.source import scan_as_given
from eyebright.data.writing.write import WRITERS, write_data


def measured(data: Path, name: str) -> None:
    began, start = time.process_time(), time.perf_counter()
    manifest, _ = scan_as_given(data)
    spent = time.process_time() - began
    print(
        f"{name:12} {len(manifest.samples):6,} images  {spent:5.2f} s of processor  "
        f"{time.perf_counter() - start:5.2f} s by the clock  {manifest.digest[:8]}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    manifest, given = scan_as_given(folder)
    measured(folder, "folder")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for kind, archive in (("zip", "zip"), ("tar", "tar"), ("tar.gz", "gztar")):
            measured(Path(shutil.make_archive(str(top / "set"), archive, folder)), kind)
        for kind in WRITERS:
            if kind != "folder":
                write_data(manifest, kind, top / kind, name="set", splits=given)
                measured(top / kind, kind)


if __name__ == "__main__":
    main()

"""Two real sets of images with texts in English and Chinese, as tables for `benchmarks/text.py`.

python benchmarks/text_sets.py stamps STAMPS OUT
    STAMPS: usr/share/tuxpaint/stamps of the Debian package tuxpaint-stamps-default (dpkg-deb -x)
python benchmarks/text_sets.py emoji DATA IMAGES OUT
    DATA: the npm package emojibase-data; IMAGES: img/google/64 of the npm package emoji-datasource-google

OUT gets PNG images and `labels.csv`: path, label, text_en, text_zh.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path

from PIL import Image

_LEAST = 12  # images of a class
_SIDE = 160


def _write(rows: list[tuple[Path, str, str, str]], out: Path) -> None:
    counts = Counter(label for _, label, _, _ in rows)
    out.mkdir(parents=True, exist_ok=True)
    kept = [row for row in rows if counts[row[1]] >= _LEAST]
    with (out / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "text_en", "text_zh"])
        for number, (source, label, english, chinese) in enumerate(kept):
            with Image.open(source) as image:
                image.thumbnail((_SIDE, _SIDE))
                clear = image.convert("RGBA")
            white = Image.new("RGBA", clear.size, "white")
            white.alpha_composite(clear)
            white.convert("RGB").save(out / f"{number:04}.png")
            writer.writerow([f"{number:04}.png", label, english, chinese])
    print(f"{len(kept)} images, {len({row[1] for row in kept})} classes in {out}")


def stamps(folder: Path, out: Path) -> None:
    rows = []
    for image in sorted(folder.rglob("*.png")):
        text = image.with_suffix(".txt")
        parts = image.relative_to(folder).parts
        if not text.is_file() or len(parts) < 3 or image.stem.endswith("_mirror"):
            continue
        lines = text.read_text(encoding="utf-8", errors="replace").splitlines()
        chinese = next((line.partition("=")[2] for line in lines if line.startswith("zh_CN.utf8=")), "")
        rows.append((image, f"{parts[0]} {parts[1]}", lines[0] if lines else "", chinese))
    _write(rows, out)


def emoji(data: Path, images: Path, out: Path) -> None:
    groups = json.loads((data / "meta" / "groups.json").read_text(encoding="utf-8"))["groups"]
    found = {
        lang: {
            one["hexcode"]: one for one in json.loads((data / lang / "data.json").read_text(encoding="utf-8"))
        }
        for lang in ("en", "zh")
    }
    rows = []
    for code, one in found["en"].items():
        image = images / f"{code.lower()}.png"
        if image.is_file() and "group" in one:
            texts = [
                " ".join([known[code]["label"], *known[code].get("tags", [])]) for known in found.values()
            ]
            rows.append((image, groups[str(one["group"])], texts[0], texts[1]))
    _write(rows, out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name, places in (("stamps", ("folder", "out")), ("emoji", ("data", "images", "out"))):
        kind = kinds.add_parser(name)
        for place in places:
            kind.add_argument(place, type=Path)
    args = parser.parse_args()
    if args.kind == "stamps":
        stamps(args.folder, args.out)
    else:
        emoji(args.data, args.images, args.out)


if __name__ == "__main__":
    main()

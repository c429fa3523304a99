"""Arranges the pages of the documentation site for MkDocs (`make docs`; named as a hook in mkdocs.yml).

The repository keeps pages where readers of the source look for them: docs/, docs/zh/ and its top level.
The site wants one folder for each language with pages of the same names. So the pages are copied to
build/docs/en and build/docs/zh (in English where there is no Chinese page), and their links are rewritten.
Links to the same page in the other language go, since every page of the site has a language menu; links to
files that the site lacks become plain text.
"""

from __future__ import annotations

import re
import shutil
from os.path import relpath
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).resolve().parents[1]
STAGE = ROOT / "build" / "docs"
#: Pages outside docs/: path in the repository -> (language, path in the site).
OUTSIDE = {
    "README.md": ("en", "index.md"),
    "README.zh.md": ("zh", "index.md"),
    "CHANGELOG.md": ("en", "changelog.md"),
    "CONTRIBUTING.md": ("en", "contributing.md"),
}
#: An inline link, with the full stop or dot that separates it from the next.
LINK = re.compile(
    r"(?<!\\)\[(?P<text>(?:[^\[\]`]|`[^`]*`)*)\]\((?P<target>[^)\s]+)\)(?P<after>(?:\.| ·|。)?\s?)"
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Build the pages once and let MkDocs read them; this also runs anew for each language."""
    if Path(config.docs_dir) != STAGE:
        arrange()
        config.docs_dir = str(STAGE)
    return config


def arrange() -> None:
    """Copy all pages and images to the stage."""
    shutil.rmtree(STAGE, ignore_errors=True)
    inside = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*") if path.is_file()]
    for source in [*OUTSIDE, *sorted(inside)]:
        language, page = placed(source)
        target = STAGE / language / page
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".md"):
            text = (ROOT / source).read_text(encoding="utf-8")
            target.write_text(with_site_links(text, source), encoding="utf-8")
        else:
            shutil.copy(ROOT / source, target)
    for english in sorted((STAGE / "en").rglob("*.md")):
        chinese = STAGE / "zh" / english.relative_to(STAGE / "en")
        if not chinese.exists():
            chinese.parent.mkdir(parents=True, exist_ok=True)
            chinese.write_text(_without_translated_anchors(english), encoding="utf-8")


def placed(source: str) -> tuple[str, str]:
    """Return language and path in the site of a file, which is given by its path in the repository."""
    if source in OUTSIDE:
        return OUTSIDE[source]
    if source.startswith("docs/zh/"):
        return "zh", source.removeprefix("docs/zh/")
    return "en", source.removeprefix("docs/")


def with_site_links(text: str, source: str) -> str:
    """Return the text of a page with its links as the site needs them."""
    language, page = placed(source)

    def rewrite(link: re.Match[str]) -> str:
        target, _, anchor = link["target"].partition("#")
        if not target or ":" in target:
            return link[0]
        file = _in_repository(source, target)
        to_language, to_page = placed(file)
        if to_page == page and to_language != language:
            return ""
        if file not in OUTSIDE and not file.startswith("docs/"):
            return link["text"] + link["after"]
        way = Path(relpath(to_page, PurePosixPath(page).parent)).as_posix()
        return f"[{link['text']}]({way}{'#' * bool(anchor)}{anchor}){link['after']}"

    return LINK.sub(rewrite, text)


def _without_translated_anchors(english: Path) -> str:
    """Return an English page for the Chinese site, whose translated pages have Chinese headings."""
    folder = STAGE / "zh" / english.parent.relative_to(STAGE / "en")

    def rewrite(link: re.Match[str]) -> str:
        target, _, anchor = link["target"].partition("#")
        translated = target.endswith(".md") and anchor and (folder / target).exists()
        return f"[{link['text']}]({target}){link['after']}" if translated else link[0]

    return LINK.sub(rewrite, english.read_text(encoding="utf-8"))


def _in_repository(source: str, target: str) -> str:
    """Return a link's target as a path in the repository."""
    return (ROOT / source).parent.joinpath(target).resolve().relative_to(ROOT).as_posix()

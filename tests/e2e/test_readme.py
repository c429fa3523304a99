"""Every block of the READMEs runs, in order, in a folder laid out as they say.

Blocks marked `bash` or `python` run; other blocks are pictures of output. `.ci/run` and test_install.py run
the lines that begin with `make` and `pip install`; here the targets must exist.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment, photos

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("make ", "pip install ")


def blocks(readme: str) -> list[tuple[str, str]]:
    """(language, text) of the blocks that run."""
    found = BLOCK.findall((ROOT / readme).read_text(encoding="utf-8"))
    return [(language, text) for language, text in found if language in ("bash", "python")]


@pytest.fixture
def place(textile: Path, tmp_path: Path) -> Path:
    """photos/ with class folders, more/ with others of them, new/ without classes."""
    photos(textile / "train", tmp_path / "photos", 20)
    photos(textile / "val", tmp_path / "more", 5)
    (tmp_path / "new").mkdir()
    for number, file in enumerate(sorted((textile / "val").rglob("*.jpg"))[5::4]):
        shutil.copy(file, tmp_path / "new" / f"{number}.jpg")
    (tmp_path / ".bin").mkdir()
    script = tmp_path / ".bin" / "eyebright"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m eyebright "$@"\n')
    script.chmod(0o755)
    return tmp_path


def lines_to_run(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(ELSEWHERE))


# The other README has the same code, which is a test below.
@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are bash")
@pytest.mark.parametrize("readme", ["README.md", pytest.param("README.zh.md", marks=pytest.mark.slow)])
def test_every_block_runs(readme: str, place: Path) -> None:
    found = blocks(readme)
    assert {language for language, _ in found} == {"bash", "python"}
    path = f"{place / '.bin'}:{environment()['PATH']}"
    for language, text in found:
        words = (
            ["bash", "-euo", "pipefail", "-c", lines_to_run(text)]
            if language == "bash"
            else [sys.executable, "-c", text]
        )
        done = subprocess.run(
            words, cwd=place, env=environment(PATH=path), capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    assert (place / "runs" / "first" / "report.html").exists()


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_make_targets_exist(readme: str) -> None:
    targets = {word for _, text in blocks(readme) for word in re.findall(r"^make (\S+)", text, re.MULTILINE)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= targets
    assert targets <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_links_lead_somewhere(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    gone = [link for link in links if link and ":" not in link and not (ROOT / link).exists()]
    assert gone == []


def test_both_readmes_run_the_same_code() -> None:
    def code(readme: str) -> list[str]:
        """Without comments, which are translated, and without the language."""
        return [re.sub(r'\s*#.*| --lang zh|, lang="zh"', "", text) for _, text in blocks(readme)]

    assert code("README.md") == code("README.zh.md")

"""Every command line and every Python call in the documentation exists as it is written there.

The commands of the READMEs run in `tests/e2e/test_readme.py`; here all pages are read, and nothing runs.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import shlex
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import eyebright as eb
from eyebright.cli.options import options_of, parse
from eyebright.cli.verbs import NAMES, load_verb
from eyebright.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^( *)```[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
#: What of a line is the command's own: up to a comment, a pipe, a redirection; not what is in quotes.
OWN = re.compile(r"""(?:"[^"]*"|'[^']*'|(?! {2}| #|[|>;]|&&| -- ).)*""")
#: What stands for something else: RUN, `[OPTION …]`, `{en,zh}`.
STANDS_FOR = re.compile(r"\b[A-Z]+\b|[…\[\]{}]")


def commands(text: str) -> Iterator[str]:
    """The command lines of a page, without comments and what the shell does with their output."""
    for _, block in FENCED.findall(text):
        yield from _cut(block.replace("\\\n", " ").splitlines())


def mentions(text: str) -> Iterator[str]:
    """The commands that its sentences name, which may lack what they need: `eyebright serve`."""
    yield from _cut(INLINE.findall(FENCED.sub("", text)))


def _cut(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        found = re.search(r"(?:^|\| |\$ |xargs )\s*eyebright ((?:[a-z]|--).*)", line.strip())
        if found:
            yield OWN.match(found[1])[0].strip()


def misnamed(mention: str) -> list[str]:
    """The options of a command, or the command itself, that do not exist."""
    name, *words = mention.split()
    if name not in NAMES:
        return [] if name.startswith("-") or name.isupper() else [name]
    known = {"--help", "--config", *(option.spelling for option in options_of(load_verb(name).config()))}
    given = {word.split("=")[0] for word in words if word.startswith("--")}
    return sorted(word for word in given if word.replace("--no-", "--", 1) not in known)


def fault(command: str) -> str | None:
    """What is wrong with a command line, if something is."""
    name, *words = shlex.split(re.sub(r"\[[^\]]*\]|…", "", command))
    if name.startswith("-") or name.isupper():
        return None
    if name not in NAMES:
        return f"there is no command {name}"
    if named := misnamed(command.translate(str.maketrans("[]", "  "))):
        return f"there is no {named}"
    verb = load_verb(name)
    try:
        values = parse(options_of(verb.config()), words, file=verb.file)
        if not STANDS_FOR.search(command) and not values.pop("config", None) and not values.pop("help"):
            verb.config().build(file=None, **values)
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_line_is_understood(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert {line: said for line in commands(text) if (said := fault(line))} == {}
    assert {line: named for line in mentions(text) if (named := misnamed(line))} == {}


def test_a_command_line_that_is_wrong_is_found() -> None:
    text = "`eyebright train --epoch 3`\n```text\neyebright trian photos    # a word\n```\n"
    assert [bool(fault(line)) for line in commands(text)] == [True]
    assert [misnamed(line) for line in mentions(text)] == [["--epoch"]]
    assert fault('train photos --target "recall(a) >= 0.9"') is None
    assert fault("train photos --finetune some")


def code(text: str) -> Iterator[ast.Module]:
    """What of a page is Python, one block or one span at a time."""
    for snippet in [*(block for _, block in FENCED.findall(text)), *INLINE.findall(FENCED.sub("", text))]:
        if "eb." in snippet or "import eyebright" in snippet or "from eyebright" in snippet:
            try:
                yield ast.parse(snippet)
            except SyntaxError:  # a table of signatures, or a command line
                continue


def wrong_calls(tree: ast.Module) -> Iterator[str]:
    """Names and keywords that the package does not have."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="eb"), attr=name), keywords=keywords):
                accepted = inspect.signature(getattr(eb, name)).parameters if hasattr(eb, name) else {}
                yield from (f"eb.{name}({k.arg}=…)" for k in keywords if k.arg and k.arg not in accepted)
            case ast.Attribute(value=ast.Name(id="eb"), attr=name) if not hasattr(eb, name):
                yield f"eb.{name}"
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == "eyebright":
                found = import_module(module)
                path = getattr(found, "__path__", None)  # a name may also be that of a module within
                own = {name for _, name, _ in pkgutil.iter_modules(path)} if path else set()
                yield from (
                    f"{module}.{n.name}" for n in names if not (hasattr(found, n.name) or n.name in own)
                )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_call_in_python_exists(page: Path) -> None:
    trees = code(page.read_text(encoding="utf-8"))
    assert [wrong for tree in trees for wrong in wrong_calls(tree)] == []


def test_a_call_that_is_wrong_is_found() -> None:
    (tree,) = code(
        "```python\nimport eyebright as eb\neb.train('photos', epoch=3)\neb.trian('photos')\n```\n"
    )
    assert sorted(wrong_calls(tree)) == ["eb.train(epoch=…)", "eb.trian"]

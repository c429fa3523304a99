"""Help texts from the commands' declarations and options, in either language."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from eyebright.text.language import translate
from eyebright.text.table import pad, width, wrap

if TYPE_CHECKING:
    from eyebright.cli.options import Option
    from eyebright.verbs.verb import Verb

_INDENT = "  "
_LONGEST_LEFT = 24


def main_help(verbs: Iterable[Verb]) -> str:
    """Return what `eyebright` alone prints."""
    return "\n".join(
        [
            translate("Usage: {usage}", usage="eyebright COMMAND …"),
            "",
            translate(
                "Turn a folder of labelled images into a recognition model, in seconds, on this machine."
            ),
            "",
            translate("Commands:"),
            *_columns([(verb.name, translate(verb.summary)) for verb in verbs]),
            "",
            translate("Options:"),
            *_columns(_global_rows()),
            "",
            translate("Exit status: 0 success, 1 failure, 2 invalid options, 130 interrupted."),
            translate("Help on a command: {command}", command="eyebright COMMAND --help"),
        ]
    )


def verb_help(verb: Verb, options: list[Option]) -> str:
    """Return what `eyebright COMMAND --help` prints."""
    positional = [o for o in options if o.positional]
    usage = " ".join(["eyebright", verb.name, *(o.shown for o in positional), "[OPTION …]"])
    first, *groups = _grouped(o for o in options if not o.positional)
    lines = [translate("Usage: {usage}", usage=usage), "", *_paragraph(translate(verb.summary))]
    if positional:
        lines += ["", translate("Arguments:"), *_columns((o.shown, _description(o)) for o in positional)]
    rows = _rows(first)
    if verb.file:
        rows.append(
            (
                "--config PATH",
                translate("TOML file with any of these options; the command line takes precedence."),
            )
        )
    rows.append(("-h, --help", translate("Show this help.")))
    lines += ["", translate("Options:"), *_columns(rows)]
    for group in groups:
        lines += [
            "",
            translate("{title}:", title=_title(group[0])),
            *_columns(_rows(group)),
        ]
    if verb.notes:
        lines += ["", *_paragraph(translate(verb.notes))]
    return "\n".join(lines)


def _global_rows() -> list[tuple[str, str]]:
    return [
        ("--lang {en,zh}", translate("Language of messages.")),
        ("--version", translate("Show the version.")),
        ("-h, --help", translate("Show this help.")),
    ]


def _grouped(options: Iterable[Option]) -> list[list[Option]]:
    """Split the options into groups that begin with a heading; only the first group may have none."""
    groups: list[list[Option]] = [[]]
    for option in options:
        if option.heading:
            groups.append([])
        groups[-1].append(option)
    return groups


def _title(option: Option) -> str:
    return translate(option.heading)


def _rows(options: Iterable[Option]) -> list[tuple[str, str]]:
    return [(option.shown, _description(option)) for option in options]


def _description(option: Option) -> str:
    text = translate(option.description)
    if option.default is None or option.flag:
        return text
    default = f"{option.default:g}" if isinstance(option.default, float) else option.default
    return translate("{text} (default: {default}).", text=text.rstrip(".。"), default=default)


def _columns(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    rows = list(rows)
    left = min(_LONGEST_LEFT, max(width(name) for name, _ in rows))
    for name, text in rows:
        lines = wrap(text, _terminal_columns() - left - 2 * len(_INDENT))
        if width(name) > left:
            yield _INDENT + name
        else:
            yield _INDENT + pad(name, left) + _INDENT + lines.pop(0)
        for line in lines:
            yield " " * (left + 2 * len(_INDENT)) + line


def _paragraph(text: str) -> list[str]:
    return wrap(text, _terminal_columns())


def _terminal_columns() -> int:
    return max(50, min(100, shutil.get_terminal_size().columns))

"""The entry point: the language, the verb, its options, and every error as one plain sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from eyebright.errors import ConfigError, EyebrightError, nearest
from eyebright.runtime.errors_once import tell
from eyebright.text.language import LANGUAGES, translate
from eyebright.verbs.verb import Verb

FAILED, MISUSED, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line ``argv`` (the process's own where None) and gives the exit status."""
    _prepare_streams()
    session = _Session()
    try:
        status = session.run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return status
    except ConfigError as error:
        return _told(error, session.lang, MISUSED)
    except EyebrightError as error:
        return _told(error, session.lang, FAILED)
    except KeyboardInterrupt:
        print(
            translate(
                "Stopped. Nothing that was finished is lost: the same command finds it in the cache.",
                session.lang,
            ),
            file=sys.stderr,
        )
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough; the interpreter's last flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


class _Session:
    """One command; ``lang`` is what errors are told in, as soon as it is known."""

    def __init__(self) -> None:
        self.lang = "en"

    def run(self, argv: list[str]) -> int:
        chosen, words = _take_language(argv)
        self.lang = chosen or "en"
        if not words or words[0] in ("-h", "--help"):
            return self._main_help()
        if words[0] == "--version":
            return _version()
        return self._run_verb(_find(words[0]), words[1:], chosen)

    def _main_help(self) -> int:
        from eyebright.cli.help import main_help
        from eyebright.cli.verbs import VERBS

        print(main_help(VERBS, self.lang))
        return 0

    def _run_verb(self, verb: Verb, words: list[str], chosen: str | None) -> int:
        from pathlib import Path

        from eyebright.cli.help import verb_help
        from eyebright.cli.options import options_of, parse

        config_class = verb.config()
        options = options_of(config_class)
        values = parse(options, words, file=verb.file) | {"lang": chosen}
        if values.pop("help"):
            print(verb_help(verb, options, self.lang))
            return 0
        file = values.pop("config", None)
        config = config_class.build(file=Path(file) if file else None, **values)
        self.lang = getattr(config, "lang", self.lang)
        return verb.run(config)


def _version() -> int:
    from eyebright import __version__

    print(f"eyebright {__version__}")
    return 0


def _find(word: str) -> Verb:
    from eyebright.cli.verbs import VERBS

    verbs = {verb.name: verb for verb in VERBS}
    if word in verbs:
        return verbs[word]
    if word.startswith("-"):
        from eyebright.cli.options import HELP, unknown_option

        raise unknown_option(word, [*HELP, "--version", "--lang"])
    raise ConfigError(
        "The first word must be a verb. There is no {word}; the nearest are: {nearest}. Use one of them.",
        word=word,
        nearest=nearest(word, verbs),
    )


def _take_language(argv: list[str]) -> tuple[str | None, list[str]]:
    """The value of ``--lang``, wherever it stands, and the other words."""
    end = argv.index("--") if "--" in argv else len(argv)
    words: list[str] = []
    chosen: str | None = None
    before = iter(argv[:end])
    for word in before:
        if word == "--lang":
            chosen = _language(next(before, ""))
        elif word.startswith("--lang="):
            chosen = _language(word.partition("=")[2])
        else:
            words.append(word)
    return chosen, words + argv[end:]


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ConfigError(
            "The language must be one of {known}. Got {value}. Choose one of them.",
            known=", ".join(LANGUAGES),
            value=repr(value),
        )
    return value


def _told(error: EyebrightError, lang: str, status: int) -> int:
    sys.stdout.flush()
    tell(error.text(lang))
    return status


def _prepare_streams() -> None:
    """UTF-8 whatever the system's code page, and file names that are not valid text pass through unharmed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")

"""The entry point: the language, the command, its options, and every error as one plain sentence."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from eyebright.errors import ConfigError, EyebrightError, StorageError, nearest
from eyebright.runtime.errors_once import tell
from eyebright.runtime.quiet import quiet_libraries
from eyebright.runtime.signals import Stopped, stoppable
from eyebright.runtime.streams import give_up, prepare_streams, print_line
from eyebright.text.language import LANGUAGES, language, speaking, translate
from eyebright.verbs.verb import Verb

if TYPE_CHECKING:
    from eyebright.types import Lang

FAILED, MISUSED, SIGNALLED, INTERRUPTED, PIPE_CLOSED = 1, 2, 128, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (the process's own where None) and return the exit status."""
    prepare_streams()
    try:
        return _run_reporting(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:  # whoever read us has enough
        give_up(sys.stdout)
        give_up(sys.stderr)
        return PIPE_CLOSED


def _run_reporting(argv: list[str]) -> int:
    """Run a command line; what ends it is told in one sentence and by the exit status."""
    with ExitStack() as session:  # holds the language, as soon as it is known, for errors too
        try:
            session.enter_context(stoppable())
            session.enter_context(quiet_libraries())
            status = _run(argv, session)
            sys.stdout.flush()
            return status
        except ConfigError as error:
            return _report(error, MISUSED)
        except EyebrightError as error:
            return _report(error, FAILED)
        except KeyboardInterrupt as stop:
            print_line(
                translate(
                    "Stopped. Finished work is kept: run the same command again to reuse it from the cache."
                ),
                sys.stderr,
            )
            return SIGNALLED + stop.number if isinstance(stop, Stopped) else INTERRUPTED
        except BrokenPipeError:
            raise
        except OSError as error:
            return _report(_refused(error), FAILED)
        except (MemoryError, RuntimeError, ImportError) as error:
            if (told := _exhausted(error)) is None:
                raise
            return _report(told, FAILED)


def _run(argv: list[str], session: ExitStack) -> int:
    chosen, words = _take_language(argv)
    session.enter_context(speaking(chosen or "en"))
    if not words or words[0] in ("-h", "--help"):
        return _main_help()
    if words[0] == "--version":
        return _version()
    return _run_verb(_find(words[0]), words[1:], chosen, session)


def _main_help() -> int:
    from eyebright.cli.help import main_help
    from eyebright.cli.verbs import all_verbs

    print(main_help(all_verbs()))
    return 0


def _run_verb(verb: Verb, words: list[str], chosen: Lang | None, session: ExitStack) -> int:
    from pathlib import Path

    from eyebright.cli.help import verb_help
    from eyebright.cli.options import options_of, parse
    from eyebright.runtime.context import showing
    from eyebright.runtime.terminal import TerminalProgress

    config_class = verb.config()
    options = options_of(config_class)
    values = parse(options, words, file=verb.file) | {"lang": chosen}
    if values.pop("help"):
        print(verb_help(verb, options))
        return 0
    file = values.pop("config", None)
    config = config_class.build(file=Path(file) if file else None, **values)
    session.enter_context(speaking(getattr(config, "lang", language())))
    with showing(TerminalProgress()):
        return verb.run(config)


def _version() -> int:
    from eyebright.version import __version__

    print(f"eyebright {__version__}")
    return 0


def _find(word: str) -> Verb:
    from eyebright.cli.verbs import NAMES, load_verb

    if word in NAMES:
        return load_verb(word)
    if word.startswith("-"):
        from eyebright.cli.options import HELP
        from eyebright.options.problems import unknown_option

        raise unknown_option(word, [*HELP, "--version", "--lang"])
    raise ConfigError(
        "The first word must be a command. There is no command {word}; the closest are: {nearest}. "
        "Use one of them.",
        word=word,
        nearest=nearest(word, NAMES),
    )


def _take_language(argv: list[str]) -> tuple[Lang | None, list[str]]:
    """Return the value of ``--lang``, wherever it stands, and the other words."""
    end = argv.index("--") if "--" in argv else len(argv)
    words: list[str] = []
    chosen: Lang | None = None
    before = iter(argv[:end])
    for word in before:
        if word == "--lang":
            chosen = _language(next(before, ""))
        elif word.startswith("--lang="):
            chosen = _language(word.partition("=")[2])
        else:
            words.append(word)
    return chosen, words + argv[end:]


def _language(value: str) -> Lang:
    for known in LANGUAGES:
        if known == value:
            return known
    raise ConfigError(
        "The language must be one of {known}. Got {value}. Choose one of them.",
        known=", ".join(LANGUAGES),
        value=repr(value),
    )


def _report(error: EyebrightError, status: int) -> int:
    try:
        sys.stdout.flush()
    except OSError:  # full: the error may be about that
        give_up(sys.stdout)
    where = getattr(error, "__notes__", ())  # the path of an image that an error's sentence stands beside
    tell("\n".join((*where, error.text())))
    return status


def _exhausted(error: Exception) -> EyebrightError | None:
    """Return the error for memory or threads that the system refused; None of any other error."""
    from eyebright.runtime.machine import is_out_of_memory

    if not is_out_of_memory(error) and str(error) != "can't start new thread":
        return None
    return EyebrightError(
        "There must be enough memory, and threads. The system refused more ({reason}). Close other programs, "
        "raise the limits of this process (ulimit), or use a smaller --size.",
        reason=str(error) or type(error).__name__,
    )


def _refused(error: OSError) -> EyebrightError:
    """Return the error for what the system refused: to print the result, or a file that nobody foresaw."""
    reason = error.strerror or error
    if error.filename is None:
        return StorageError(
            "Standard output must be writable. Writing the result failed: {reason}. Free some space, or "
            "send the output elsewhere.",
            reason=reason,
        )
    return StorageError(
        "Files must be accessible. {path}: {reason}. Check the path and its permissions.",
        path=error.filename,
        reason=reason,
    )

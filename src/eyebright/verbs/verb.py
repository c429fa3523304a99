"""A verb of the command line: its name, its summary, and how the result of its stage is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eyebright.options.base import Config


def print_result(result: object, config: object) -> int:
    """Print what a stage returned, set off from the progress before it, and return the exit status 0."""
    print(f"\n{result}")
    return 0


@dataclass(frozen=True)
class Verb:
    """One verb: `verbs/NAME/options.py` has its class `NameConfig`, `verbs/NAME/NAME.py` its stage `NAME`.

    There a hyphen of the name is an underscore. Both are imported when they are needed, because the help on
    all commands must not wait for them.

    Attributes:
        name: what the person types.
        summary: one English sentence for the list of commands.
        show: prints the stage's result, given with the options, and returns the exit status.
        notes: an English paragraph under the options.
        file: whether the options may also come from a TOML file.
        rows: whether the result is printed row by row while the stage runs, so that a progress bar in the
            same terminal would disturb it.
        estimate: the module, below the verb's folder, whose stage of its name runs in place of the verb's own
            with `--dry-run`; empty where there is no such option.
    """

    name: str
    summary: str
    show: Callable[[Any, Any], int] = print_result
    notes: str = ""
    file: bool = False
    rows: bool = False
    estimate: str = ""

    @property
    def folder(self) -> str:
        """Return the name of its folder and of its stage."""
        return self.name.replace("-", "_")

    def config(self) -> type[Config]:
        """Return the class whose fields are the verb's options."""
        module = import_module(f"eyebright.verbs.{self.folder}.options")
        words = self.folder.split("_")
        config: type[Config] = getattr(module, f"{''.join(word.capitalize() for word in words)}Config")
        return config

    def run(self, config: Config) -> int:
        """Run the verb's stage, show its result, and return the exit status."""
        from eyebright.runtime.context import showing
        from eyebright.runtime.progress import SILENT

        estimated = bool(self.estimate) and bool(getattr(config, "dry_run", False))
        module = self.estimate if estimated else self.folder
        name = module.rpartition(".")[2]
        stage = getattr(import_module(f"eyebright.verbs.{self.folder}.{module}"), name)
        with showing(SILENT) if self.rows and sys.stdout.isatty() else nullcontext():
            result = stage(config)
        return (print_result if estimated else self.show)(result, config)

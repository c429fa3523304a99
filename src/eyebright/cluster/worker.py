"""What a worker does: shards, one after another, each told and answered in a line of JSON.

This module is also the process that `local:N` starts. It loads nothing but what the task needs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from eyebright.cluster.base import ShardTask
from eyebright.errors import EyebrightError
from eyebright.types import JsonObject, ShardJson
from eyebright.version import __version__


def name_of(task: ShardTask) -> str:
    """Return the module and the name by which a worker imports a task."""
    return f"{task.__module__}:{task.__qualname__}"


def answer(task: str, version: str, content: ShardJson) -> JsonObject:
    """Do a shard; return ``{"done": …}``, or why it cannot be done, which is never raised.

    An error of Eyebright (``"error"``) is the work's: it would come again on any worker. All else
    (``"failure"``) may be the worker's.

    Args:
        task: its module and name.
        version: of Eyebright, where the work was cut into shards.
        content: of the shard.
    """
    module, _, name = task.partition(":")
    try:
        if version != __version__:
            raise EyebrightError(
                "All workers must have the same version of Eyebright. A worker has {there}; this machine has "
                "{here}. Install it there.",
                here=version,
                there=__version__,
            )
        function: ShardTask = getattr(import_module(module), name)
        return {"done": function(content)}
    except EyebrightError as error:
        return {"error": type(error).__name__, **_told(error.template, error.values)}
    except Exception:  # whatever it is, the machine that waits must hear of it
        return {"failure": traceback.format_exc(limit=-4)}


def _told(template: str, values: dict[str, object]) -> JsonObject:
    return {
        "template": template,
        "values": {key: value if isinstance(value, int) else str(value) for key, value in values.items()},
    }


def main(arguments: Sequence[str]) -> None:
    """Answer the shards on standard input until it ends, on the cores whose numbers are given."""
    # Ctrl-C reaches the whole group of processes. The one that started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if arguments and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core) for core in arguments})
    # What libraries print must not stand among the answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        for line in sys.stdin:
            if not line.endswith("\n"):  # whoever wrote it was ended in the middle
                break
            given: Any = json.loads(line)
            print(json.dumps(answer(given["task"], given["version"], given["content"])), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Tasks that workers import by name in tests of clusters."""

from __future__ import annotations

import os
import time
from pathlib import Path

from eyebright.errors import DataError
from eyebright.types import JsonObject, StoredJson


def square(content: StoredJson) -> JsonObject:
    return {"square": content["number"] ** 2, "pid": os.getpid()}


def recorded(content: StoredJson) -> JsonObject:
    """Note in a folder that the shard was begun, then do it in the time that it takes."""
    Path(content["folder"], f"{content['number']}.{time.monotonic_ns()}").touch()
    time.sleep(content.get("seconds", 0))
    return {}


def dies_at_first(content: StoredJson) -> JsonObject:
    """End the worker the first time that the shard is done."""
    mark = Path(content["mark"])
    if content["number"] == 3 and not mark.exists():
        mark.touch()
        os._exit(1)
    return square(content)


def always_dies(content: StoredJson) -> JsonObject:
    os._exit(1)


def fails(content: StoredJson) -> JsonObject:
    raise ZeroDivisionError(f"shard {content['number']}")


def refuses(content: StoredJson) -> JsonObject:
    raise DataError("Images must be there. {path} is not. Copy it.", path=Path("a", "b.jpg"))


def prints(content: StoredJson) -> JsonObject:
    print("what a library has to say")
    return {}


def slow_at_first(content: StoredJson) -> JsonObject:
    """Hang at one shard the first time, as a machine does whose disk has failed."""
    mark = Path(content["mark"])
    if content["number"] == 1 and not mark.exists():
        mark.touch()
        time.sleep(600)
    return square(content)

"""TensorBoard, through its own event files: no other framework is needed to write them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eyebright.errors import MissingExtraError
from eyebright.runtime.install import install_command
from eyebright.tracking.base import EpochMetrics, without_missing


class TensorBoardTracker:
    """Write event files to ``folder``; `tensorboard --logdir` shows them.

    Raises:
        MissingExtraError: the package is not installed.
    """

    name = "tensorboard"

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise MissingExtraError(
                "--track tensorboard needs the package tensorboard, which is not installed. Run: {command}",
                command=install_command("tensorboard"),
            )
        self._folder = folder
        self._writer: Any = None
        self._fresh = True

    def start(self, run: str, params: Mapping[str, object]) -> None:
        """Open a new event file and write the options, as the HParams page shows them."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import metadata
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(self._folder), flush_secs=10)
        info = SessionStartInfo(group_name=run, start_time_secs=time.time())
        for name, value in params.items():
            if isinstance(value, bool):
                info.hparams[name].bool_value = value
            elif isinstance(value, int | float):
                info.hparams[name].number_value = value
            elif value is not None:
                info.hparams[name].string_value = str(value)
        described = metadata.create_summary_metadata(HParamsPluginData(session_start_info=info))
        value = Summary.Value(tag=metadata.SESSION_START_INFO_TAG, metadata=described)
        self._write(0, summary=Summary(value=[value]))
        self._fresh = True

    def epoch(self, number: int, metrics: EpochMetrics) -> None:
        """Write a scalar for each metric."""
        from tensorboard.compat.proto.event_pb2 import SessionLog

        if self._fresh:
            # Readers drop what an interrupted run logged from here on.
            self._write(number, session_log=SessionLog(status=SessionLog.START))
            self._fresh = False
        self._scalars(number, metrics)

    def finish(self, metrics: EpochMetrics) -> None:
        """Write the final metrics under ``final/`` and close the file."""
        self._scalars(0, {f"final/{name}": value for name, value in metrics.items()})
        self._writer.close()

    def _scalars(self, step: int, metrics: EpochMetrics) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=tag, simple_value=number) for tag, number in without_missing(metrics).items()
        ]
        self._write(step, summary=Summary(value=values))
        self._writer.flush()

    def _write(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, **content))

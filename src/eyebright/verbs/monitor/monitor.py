"""`monitor`: whether the images that a model answers are still those that it was made for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eyebright.errors import ConfigError
from eyebright.monitoring.analysis import Analysis, analyse
from eyebright.monitoring.log import Log
from eyebright.monitoring.prometheus import text
from eyebright.monitoring.reference import reference_of
from eyebright.monitoring.review import write_review
from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.images import columns_for
from eyebright.runtime.context import progress_task, say, stage
from eyebright.sealed.model import SealedModel
from eyebright.text.format import percent, percent_range
from eyebright.text.language import translate
from eyebright.types import JsonObject
from eyebright.verbs.monitor.figures import figures
from eyebright.verbs.monitor.options import MonitorConfig
from eyebright.verbs.monitor.page import page
from eyebright.verbs.monitor.words import (
    accuracy_sentence,
    advice,
    drift_name,
    drift_values,
    moment,
    verdict_sentence,
)


@dataclass(frozen=True, repr=False)
class Monitoring(Displayed):
    """The result of `monitor`; it shows what changed when it is printed.

    Attributes:
        title: the run's name.
        analysis: of the log.
    """

    title: str
    analysis: Analysis

    @property
    def alarm(self) -> bool:
        """Return whether a change was found that is not harmless."""
        return self.analysis.verdict in ("harmful", "changed")

    def to_json(self) -> JsonObject:
        """Return what `--format json` prints."""
        return figures(self.analysis)

    def page(self) -> str:
        """Return the page."""
        return page(self.title, self.analysis)

    def prometheus(self) -> str:
        """Return the gauges in Prometheus' text format."""
        return text(self.analysis, self.title)

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the verdict, the evidence, the estimated accuracy and what to do."""
        found = self.analysis
        yield verdict_sentence(found)
        if found.accuracy is not None:
            yield accuracy_sentence(found.accuracy)
        rows = [[translate("Changed"), translate("Before"), translate("Now"), translate("Since"), "p"]]
        for drift in found.alarms:
            start = found.log.windows[drift.since or 0].start
            rows.append([drift_name(drift), *drift_values(drift), moment(start), f"{drift.p:.1g}"])
        if len(rows) > 1:
            yield ResultTable(rows, right=(1, 2))
        if found.unknown_now is not None and found.unknown_before is not None:
            yield translate(
                "Unknown images: {now} ({between}), {before} in the reference.",
                now=percent(found.unknown_now.value),
                between=percent_range(found.unknown_now),
                before=percent(found.unknown_before.value),
            )
        if sentences := advice(found):
            yield "\n".join(sentences)


def _write_queue(path: Path, found: Analysis) -> None:
    write_review(path, found.review)
    if found.review:
        say("Review queue: {count:image|images} in {path}.", count=len(found.review), path=path)
    elif not any(found.log.rows.names):
        say(
            "The review queue is empty, since the log names no images. `eyebright predict --log` names them, "
            "and a service with --keep-images does."
        )
    else:
        say("The review queue is empty: no logged image is worth a look.")


@stage
def monitor(config: MonitorConfig) -> Monitoring:
    """Compare the log of a model with the validation and test images of its run.

    Args:
        config: which log, which run.

    Raises:
        NotFoundError: the log or the model does not exist.
        ConfigError: the queue would take the place of the log.
        DataError: the log is damaged, empty or one of another model, or the run has neither validation nor
            test images.
        ModelError: the file is not a sealed model.
        StorageError: the queue cannot be written.
    """
    log = Log.read(config.log)
    model = SealedModel(config.reference, threads=1)
    reference = reference_of(model, config.data, config.seed, columns_for(config, model))
    if config.queue is not None and config.queue.resolve() == config.log.resolve():
        raise ConfigError(
            "The queue must be a file of its own. {path} is the log. Name another with --queue.",
            path=config.queue,
        )
    with progress_task("Comparing {count:image|images} with the reference", count=log.images):
        found = analyse(log, reference, model.decisions, config.seed)
    if config.queue is not None:
        _write_queue(config.queue, found)
    return Monitoring(model.path.resolve().parent.name, found)

"""`push`: share a run, as one whole, at a place that others can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eyebright.errors import ConfigError
from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.metrics import METRICS
from eyebright.runs.run import Run
from eyebright.runtime.context import progress_task, say, stage
from eyebright.sharing.address import place_at
from eyebright.sharing.content import shared_files
from eyebright.sharing.place import Content, Place, content_bytes
from eyebright.sharing.sums import SUMS, is_shared_name, read_sums
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.verbs.push.options import PushConfig


@dataclass(frozen=True, repr=False)
class Pushed(Displayed):
    """What `push` shared; printing it shows it.

    Attributes:
        place: the address.
        files: bytes by name.
        unchanged: whether the same run was there already, so that nothing was written.
    """

    place: str
    files: Mapping[str, int]
    unchanged: bool

    def display(self) -> Iterator[str | ResultTable]:
        """Yield what lies where, and how others get it."""
        place = printable(self.place)
        if self.unchanged:
            yield translate("{place} already has this run; nothing was written.", place=place)
        else:
            yield translate(
                "Pushed {count:file|files} ({size} MB) to {place}.",
                count=len(self.files),
                size=f"{sum(self.files.values()) / 1e6:.1f}",
                place=place,
            )
            yield ResultTable(
                [
                    (translate("File"), "MB"),
                    *((name, f"{size / 1e6:.2f}") for name, size in sorted(self.files.items())),
                ],
                right=(1,),
            )
        yield translate("Others get it with: eyebright pull {place} DIRECTORY", place=place)


@stage
def push(config: PushConfig) -> Pushed:
    """Share a run: model, card, labels, metrics, certificates and report.

    Args:
        config: which run, and where to.

    Raises:
        ConfigError: something else is at the destination.
        EyebrightError: the run is damaged, or the place does not answer, or not to us.
    """
    run = Run.open(config.run)
    files = shared_files(run, config.include, report=config.report)
    place = place_at(config.destination, private=not config.public)
    there = place.names()
    sizes = {name: content_bytes(content) for name, content in files.items()}
    if {METRICS, SUMS} <= there and place.read(SUMS) == files[SUMS]:
        return Pushed(place.address, sizes, unchanged=True)
    gone = _replaced(place, there, files, overwrite=config.overwrite)
    _say_left_out(config, files)
    with progress_task("Pushing to {place}", total=sum(sizes.values()), place=place.address) as task:
        place.publish(files, gone, f"Push the run {run.directory.resolve().name} with eyebright", task)
    return Pushed(place.address, sizes, unchanged=False)


def _replaced(
    place: Place, there: set[str], files: Mapping[str, Content], *, overwrite: bool
) -> frozenset[str]:
    """Return the files of another run that go away.

    Raises:
        ConfigError: what is there is not ours to replace.
    """
    others = there - set(place.own)
    if not others:
        return frozenset()
    if METRICS in others and SUMS not in others:
        raise ConfigError(
            "A run that a training or an evaluation wrote is never replaced by a push. {place} has one. "
            "Choose another place.",
            place=place.address,
        )
    interrupted = METRICS not in others and SUMS in others and place.read(SUMS) == files[SUMS]
    if not (overwrite or interrupted):
        raise ConfigError(
            "A run must be pushed to an empty place. {place} has other files, such as {name}. Choose another "
            "place, or replace the run there with --overwrite.",
            place=place.address,
            name=METRICS if METRICS in others else min(others),
        )
    earlier = set(read_sums(place.read(SUMS), place.address)) if SUMS in others else set()
    return frozenset(name for name in earlier & others if is_shared_name(name)) - files.keys()


def _say_left_out(config: PushConfig, files: Mapping[str, Content]) -> None:
    if "report.html" in files:
        say(
            "The report shows some of the images with their names, and the command with its paths. Leave it "
            "out with --no-report if they must not be seen."
        )
    if not {"predictions", "manifest"} & set(config.include):
        say(
            "Names of images are left out: predictions.csv, manifest.parquet and paths in metrics.json. Push "
            "them with --include predictions."
        )

"""What all pages share: the project, the job under way, the models, and what was computed of the images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic

from eyebright.data.fixes import Fix, read_fixes, write_fixes
from eyebright.errors import ConfigError, DataError, NotFoundError
from eyebright.labelling.features import features_of
from eyebright.labelling.groups import Group, next_group
from eyebright.labelling.intake import Intake
from eyebright.labelling.jobs import Jobs
from eyebright.labelling.label_files import write_table
from eyebright.labelling.model_view import ModelView, view_of
from eyebright.labelling.project import Project
from eyebright.labelling.review import ReviewItem, doubts, label_errors
from eyebright.labelling.review_list import ReviewList, read_review_list, write_review_list
from eyebright.labelling.suggestions import Suggester
from eyebright.runs.run import Run
from eyebright.serving.security import Tokens
from eyebright.types import Skipped
from eyebright.verbs.studio.in_service import InService

# For so long nobody else gets the images that a person has on the screen.
_HELD_SECONDS = 120.0


class Studio:
    """One open folder.

    Args:
        project: its images and labels.
        tokens: who may do what.
        hosts: names besides localhost and addresses that requests may be sent to.
        open_service: whether programs on this machine may ask the model in use without a token.
    """

    def __init__(
        self,
        project: Project,
        tokens: Tokens,
        *,
        hosts: frozenset[str] = frozenset(),
        open_service: bool = False,
    ) -> None:
        self.project = project
        self.tokens = tokens
        self.hosts = hosts
        self.open_service = open_service
        self.intake = Intake(project)
        self.jobs = Jobs()
        self.service = InService(project.folder, None if open_service else tokens, hosts)
        #: What the last look found to be doubtful; None before the first.
        self.doubtful: list[ReviewItem] | None = None
        #: What the model in use sees in the images; None until that look.
        self.view: ModelView | None = None
        #: Why files that arrived were not taken, by their names.
        self.refused: dict[str, Skipped] = {}
        #: Images to look at that other commands listed.
        self.listed = self._listed()
        #: Images that somebody looked at since the studio began.
        self.reviewed: set[str] = set()
        self._suggester: Suggester | None = None
        #: Images of which no features could be computed, and why.
        self.unreadable: Sequence[Skipped] = ()
        self._held: dict[str, tuple[str, float]] = {}
        self._later: defaultdict[str, set[str]] = defaultdict(set)
        self._lock = Lock()

    def close(self) -> None:
        """End the job under way, and let go of the folder."""
        self.jobs.close()
        self.project.store.close()

    @property
    def runs_folder(self) -> Path:
        """Return where runs are written."""
        return self.project.folder / "runs"

    @property
    def fixes_file(self) -> Path:
        """Return the fixes that a person accepted."""
        return self.project.folder / "fixes.csv"

    @property
    def accepted_fixes(self) -> Path | None:
        """Return that file if there is one."""
        return self.fixes_file if self.fixes_file.is_file() else None

    def runs(self) -> list[Run]:
        """Return the finished runs, the newest first."""
        folders = sorted(self.runs_folder.glob("*/metrics.json"), key=lambda file: -file.stat().st_mtime)
        return [Run.open(file.parent) for file in folders]

    def run(self, name: str) -> Run:
        """Return a finished run by its name.

        Raises:
            NotFoundError: there is none.
        """
        return Run.open(self.runs_folder / Path(name).name)

    def labels(self) -> dict[str, str]:
        """Return the labels that count, by hash."""
        with self.project.store.reading() as state:
            return dict(state.labels())

    def took(self, names: Iterable[str], refused: Iterable[Skipped]) -> None:
        """Remember which files that arrived were not taken; what was refused before and is good now is not.

        Args:
            names: of all files that arrived.
            refused: those of them that were not taken.
        """
        with self._lock:
            for name in names:
                self.refused.pop(name, None)
            self.refused |= {entry.path: entry for entry in refused}

    def suggester(self) -> Suggester | None:
        """Return what suggests classes; None until the features of all images are there."""
        found = self._suggester
        readable = len(self.project) - len(self.unreadable)
        return found if found is not None and len(found.features.shas) >= readable else None

    def compute_features(self) -> None:
        """Compute what is missing of the features, as a job's work."""
        samples = self.project.samples
        features, self.unreadable = features_of(self.project.root, samples)
        self._suggester = Suggester(features)

    def start_features(self, *, again: bool = False) -> None:
        """Begin to compute features, unless they are there or another job is under way.

        Args:
            again: also after the last time failed or was stopped.
        """

        def work() -> str:
            self.compute_features()
            return "/label"

        if self.suggester() is None:
            self._begin("features", work, again=again)

    def next_group(self, who: str, second: bool) -> Group | None:
        """Return the images that a person labels next; None until features are there.

        Args:
            who: labels.
            second: whether to label what others labelled, so that people can be compared.
        """
        suggester = self.suggester()
        if suggester is None:
            return None
        with self.project.store.reading() as state:
            labels = dict(state.labels())
            if second:
                pool = {s for s in state.images() if state.by_person(s) and who not in state.by_person(s)}
            else:
                pool = {
                    s.sha for s in self.project.samples if s.sha not in labels and not state.disputed(s.sha)
                }
        with self._lock:
            now = monotonic()
            others = {sha for sha, (holder, until) in self._held.items() if holder != who and until > now}
            later = self._later[who] & pool - others
            fresh = pool - others - later
            # What was left out comes back when nothing else is open, without the suggestions that were wrong.
            group = next_group(suggester, labels, fresh or later, suggest=bool(fresh))
            self._held = {sha: held for sha, held in self._held.items() if held[0] != who}
            self._held |= {tile.sha: (who, now + _HELD_SECONDS) for tile in group.tiles}
        return group

    def leave(self, who: str, images: Iterable[str]) -> None:
        """Put images off that a person left out of a group."""
        with self._lock:
            self._later[who].update(images)

    def start_review(self, *, again: bool = False) -> None:
        """Begin to look for doubtful images, unless another job is under way.

        Args:
            again: also after the last time failed or was stopped.
        """

        def work() -> str:
            if self.suggester() is None:
                self.compute_features()
            self.doubtful = self._doubtful()
            return "/review"

        self._begin("review", work, again=again)

    def _begin(self, kind: str, work: Callable[[], str], *, again: bool) -> None:
        last = self.jobs.last
        ended = last is not None and last.kind == kind and last.state in ("failed", "stopped")
        if len(self.project) and (again or not ended):
            with suppress(ConfigError):  # another job is under way: the page asks again when it is done
                self.jobs.start(kind, (), work)

    def _doubtful(self) -> list[ReviewItem]:
        """Return the images that the labels or the model in use cast doubt on."""
        labels, suggester, model = self.labels(), self.suggester(), self.service.sealed()
        several = self.project.multilabel  # an audit tells wrong labels among them
        found = [] if suggester is None or several else label_errors(suggester.features, labels)
        if model is not None:
            self.view = view_of(model, self.project.root, self.project.samples)
            found += doubts(self.view.predictions, labels)
        return found

    def fixes(self) -> list[Fix]:
        """Return the fixes that a person accepted; none if there is no such file."""
        return list(read_fixes(self.fixes_file).rows) if self.fixes_file.is_file() else []

    def accept_fixes(self, fixes: Sequence[Fix]) -> None:
        """Keep fixes for the next training."""
        write_fixes(self.fixes_file, fixes)

    def take_review_list(self, path: Path, base: Path) -> ReviewList:
        """Put the images that a list names into the review queue, and return it.

        Args:
            path: of the list, CSV with the columns path, score and reason.
            base: where its relative paths begin, if not at the folder.

        Raises:
            NotFoundError: it does not exist.
            DataError: it is no such list, or none of its images is in the folder.
            StorageError: the disk is full or must not be written.
        """
        found = read_review_list(path, self.project, base)
        with self._lock:
            new = {item.sha for item in found.items}
            self.reviewed -= new
            self._keep([*found.items, *(item for item in self.listed if item.sha not in new)])
        return found

    def looked_at(self, sha: str) -> None:
        """Take an image off the review queue."""
        with self._lock:
            self.reviewed.add(sha)
            if any(item.sha == sha for item in self.listed):
                self._keep([item for item in self.listed if item.sha != sha])

    def _keep(self, items: Sequence[ReviewItem]) -> None:
        write_review_list(self._list_file, self.project, items)
        self.listed = items

    @property
    def _list_file(self) -> Path:
        return self.project.folder / "review.csv"

    def _listed(self) -> Sequence[ReviewItem]:
        """Return what is left of the lists; nothing if their images are gone."""
        try:
            return read_review_list(self._list_file, self.project, self.project.folder).items
        except (NotFoundError, DataError):
            return ()

    def data(self) -> Path:
        """Write the labels that count, and return the table to train on.

        Not its folder: labels for other programs may lie there as well.
        """
        return write_table(self.project)

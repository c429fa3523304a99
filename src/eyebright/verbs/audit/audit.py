"""`audit`: what is wrong with a data set, what to do about it, and how well it was looked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eyebright.auditing.examine import Examination, examine
from eyebright.auditing.findings import Finding
from eyebright.auditing.material import collect
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.cluster.choose import on_cluster
from eyebright.data.fixes import FIXES, Fixes, read_fixes, write_fixes
from eyebright.data.header import read_header
from eyebright.data.manifest import Manifest
from eyebright.data.source import scan_as_given
from eyebright.data.storage.places import is_file
from eyebright.data.table.chosen import named_columns
from eyebright.errors import ImageError, NotFoundError
from eyebright.report.display import Displayed, ResultTable
from eyebright.runs.messages import say_found
from eyebright.runs.run import new_directory
from eyebright.runtime.atomic import write_text
from eyebright.runtime.context import stage, timed
from eyebright.text.format import number, percent
from eyebright.text.language import translate
from eyebright.text.table import printable
from eyebright.training.cache.store import default_folder
from eyebright.types import Interval, Skipped
from eyebright.verbs.audit.figures import figures
from eyebright.verbs.audit.options import AuditConfig
from eyebright.verbs.audit.overview import kind_rows
from eyebright.verbs.audit.page import AuditContent, write_page
from eyebright.verbs.audit.proposals import ON_ALL_IMAGES, among, leaked_with, proposed_fixes
from eyebright.verbs.audit.words import budget_sentence, label_hint


@dataclass(frozen=True, repr=False)
class Audit(Displayed):
    """The result of `audit`, and where it is written; it shows its counts when it is printed.

    Attributes:
        directory: holds `audit.json`, `audit.html` and `fixes.csv`.
        images: how many were examined.
        size: input size in pixels of the features that were compared.
        examination: what was found, and how well it is found.
    """

    directory: Path
    images: int
    size: int
    examination: Examination

    @property
    def findings(self) -> Sequence[Finding]:
        """Return all findings, in the order of their kinds."""
        return self.examination.findings

    @property
    def report(self) -> Path:
        """Return the path of the page."""
        return self.directory / "audit.html"

    @property
    def fixes(self) -> Path:
        """Return the path of the proposed fixes."""
        return self.directory / FIXES

    def of(self, *kinds: str) -> list[Finding]:
        """Return the findings of some kinds."""
        return [finding for finding in self.findings if finding.kind in kinds]

    def display(self) -> Iterator[str | ResultTable]:
        """Yield the number of findings of each kind, recall and precision, and where the files are."""
        yield translate("Audit of {count:image|images}:", count=self.images)
        yield ResultTable(self._rows(), right=(1, 2, 3))
        if self.examination.wrong_labels is not None:
            yield budget_sentence(self.examination.wrong_labels, self.examination.budget)
        if hint := label_hint(self.examination.planted.get("label_error"), self.size):
            yield hint
        page, fixes = printable(str(self.report)), printable(str(self.fixes))
        yield "\n".join([translate("Page   {path}", path=page), translate("Fixes  {path}", path=fixes)])

    def _rows(self) -> list[list[str]]:
        head = [translate("Kind"), translate("Found"), translate("Recall"), translate("Precision")]
        rows = [
            [row.title, number(row.count), *(_share(share) for share in (row.recall, row.precision))]
            for row in kind_rows(self.examination)
        ]
        return [head, *rows]


def _share(share: Interval | None) -> str:
    return "–" if share is None else percent(share.value)


@stage
def audit(config: AuditConfig) -> Audit:
    """Examine a data set, and write `audit.json`, `audit.html` and `fixes.csv`.

    Args:
        config: which data.

    Raises:
        NotFoundError: the data or the fixes do not exist.
        DataError: the data holds no readable images, or the fixes do not fit it.
    """
    with on_cluster(config.cluster):
        return _audited(config)


def _audited(config: AuditConfig) -> Audit:
    fixes = Fixes(()) if config.fixes is None else read_fixes(config.fixes)
    with timed("scan"):
        columns = named_columns(config)
        manifest, parts = scan_as_given(config.data, fixes if fixes.rows else None, columns)
    directory = new_directory(config.out, "audits", config.data.resolve().name)
    say_found(manifest)
    backbone, cache = EmbeddedBackbone(), default_folder()
    with timed("features"):
        material, lost = collect(manifest, backbone, cache, size=config.size, seed=config.seed)
    dropped = {fix.image for fix in fixes.rows if fix.action == "drop"}
    broken = [entry for entry in (*_unreadable(manifest), *lost) if entry.path not in dropped]
    with timed("examination"):
        found = examine(material, manifest.task, manifest.labels, broken, parts=parts, seed=config.seed)
    leaks = leaked_with(f for f in found.findings if _answered(f, fixes))
    open_ = [f for f in found.findings if not (_answered(f, fixes) or among(leaks, f))]
    found = replace(found, findings=open_)
    manifest = replace(manifest, samples=tuple(material.samples))
    result = Audit(directory, len(material.samples), config.size, found)
    content = figures(manifest, found, parts=parts)
    proposals = proposed_fixes(found.findings)
    write_fixes(result.fixes, (fix for some in proposals for fix in some))
    title = config.data.resolve().name
    write_page(result.report, AuditContent(title, manifest, found, proposals, parts, config.size))
    write_text(directory / "audit.json", json.dumps(content, indent=1, ensure_ascii=False))
    return result


def _answered(finding: Finding, fixes: Fixes) -> bool:
    return fixes.answers(finding.kind, () if finding.kind in ON_ALL_IMAGES else finding.images)


def _unreadable(manifest: Manifest) -> list[Skipped]:
    """Return the files that were left out because they are damaged, not for where they lie."""
    found = []
    for entry in manifest.skipped:
        path = manifest.root / entry.path
        if not is_file(path):
            continue
        try:
            read_header(path)
        except (ImageError, NotFoundError):
            found.append(entry)
    return found

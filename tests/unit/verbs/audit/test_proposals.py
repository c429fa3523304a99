"""What the audit proposes can be read back as fixes, and what it advises is in its place."""

from __future__ import annotations

from pathlib import Path

from eyebright.auditing.findings import Finding, PlantedResult
from eyebright.data.fixes import read_fixes, write_fixes
from eyebright.evaluation.intervals import share_of
from eyebright.text.format import percent
from eyebright.verbs.audit.proposals import proposed_fixes
from eyebright.verbs.audit.words import label_hint


def test_every_proposal_is_read_back(tmp_path: Path) -> None:
    findings = [
        Finding("exact_duplicate", ("a.png", "b.png"), {"labels": ["cat", "cat"]}, 1.0),
        Finding("near_duplicate", ("c.png", "d.png"), {"labels": ["cat", "cat"]}, 0.9),
        Finding("label_error", ("e.png",), {}, 0.9, suggested="dog"),
        Finding("label_error", ("f.png",), {}, 0.9, suggested=""),  # of several labels: none is likelier
        Finding("shift", ("g.png",), {}, 0.9),
        Finding("broken", ("h.png",), {}, 1.0),
    ]
    proposed = [fix for fixes in proposed_fixes(findings) for fix in fixes]
    write_fixes(tmp_path / "fixes.csv", proposed)
    read = read_fixes(tmp_path / "fixes.csv").rows
    assert [(fix.image, fix.action, fix.value) for fix in read] == [
        (fix.image, fix.action, fix.value) for fix in proposed
    ]
    assert [(fix.image, fix.action) for fix in read if fix.image in ("e.png", "f.png")] == [
        ("e.png", "relabel"),
        ("f.png", ""),
    ]


def test_a_larger_size_is_proposed_where_few_wrong_labels_are_found() -> None:
    few, many = (PlantedResult(share_of(found, 100), None, 100) for found in (59, 83))
    hint = label_hint(few, 224)
    assert hint is not None
    assert hint.startswith(f"At 224 px only {percent(0.59)} of planted label errors are found.")
    assert hint.endswith("try --size 448.")
    assert label_hint(many, 224) is None
    assert label_hint(few, 448) is None
    assert label_hint(None, 224) is None

from __future__ import annotations

import json
import os
import struct

import pytest

torch = pytest.importorskip("torch")

from eyebright.errors import ModelError  # noqa: E402
from eyebright.training.finetune.checkpoint import (  # noqa: E402
    BEST,
    Checkpoint,
    Spacing,
    latest,
    read,
    remove_steps,
    save_step,
    write,
)

TENSORS = {
    "weights": torch.arange(6.0).view(2, 3),
    "half": torch.tensor([1.5, -2], dtype=torch.bfloat16),
    "count": torch.tensor(3),
    "none": torch.zeros(0, 4),
}


def test_what_is_written_is_read(tmp_path):
    values = {"step": 3, "loss": 0.1 + 0.2, "rows": [{"a": None}]}
    write(tmp_path / "a.safetensors", Checkpoint(TENSORS, values))
    back = read(tmp_path / "a.safetensors")
    assert back.values == values
    assert all(
        torch.equal(back.tensors[n], t) and back.tensors[n].dtype == t.dtype for n, t in TENSORS.items()
    )


def test_tied_tensors_are_stored_once_and_views_alone(tmp_path):
    big = torch.arange(10000.0).view(100, 100)
    tensors = {"a": big, "b": big, "row": big[3], "column": big[:, 3]}
    write(tmp_path / "a.safetensors", Checkpoint(tensors, {}))
    back = read(tmp_path / "a.safetensors").tensors
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())
    assert (tmp_path / "a.safetensors").stat().st_size < 50_000


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "header", "gone"])
def test_a_damaged_file_is_an_error_with_its_path(tmp_path, damage):
    path = tmp_path / "a.safetensors"
    write(path, Checkpoint(TENSORS, {"step": 1}))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "bit":
        content[-3] ^= 4
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "header":  # a file of tensors that is none of ours
        header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    else:
        path.unlink()
    with pytest.raises(ModelError, match=r"a\.safetensors"):
        read(path)


def test_the_last_two_are_kept_and_what_a_killed_process_left_goes(tmp_path):
    for name in ("step-000000001", "best"):
        left = tmp_path / f".{name}.safetensors.1a2b3c4d.tmp"
        left.write_bytes(b"half of it")
        os.utime(left, (1000, 1000))
    being_written = tmp_path / ".best.safetensors.5e6f7a8b.tmp"  # by another process, at this moment
    being_written.write_bytes(b"half of it")
    for step in (9, 10, 100):
        save_step(tmp_path, step, Checkpoint(TENSORS, {"step": step}))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        being_written.name,
        "step-000000010.safetensors",
        "step-000000100.safetensors",
    ]


def test_a_training_that_begins_anew_leaves_nothing_of_an_earlier_one(tmp_path):
    for name in ("step-000000001.safetensors", BEST, f".{BEST}.1a2b3c4d.tmp"):
        (tmp_path / name).write_bytes(b"of an earlier one")
        os.utime(tmp_path / name, (1000, 1000))
    remove_steps(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_newest_whole_one_is_used_and_a_damaged_one_told(tmp_path):
    assert latest(tmp_path) == (None, [])
    for step in (1, 2):
        save_step(tmp_path, step, Checkpoint(TENSORS, {"step": step}))
    (tmp_path / "step-000000002.safetensors").write_bytes(b"x")
    found, notes = latest(tmp_path)
    assert found is not None
    assert found.values == {"step": 1}
    assert "step-000000002" in notes[0]


def test_checkpoints_are_spaced_by_time_and_by_what_they_cost():
    spacing = Spacing(30.0)
    assert spacing.due(0.0)
    spacing.wrote(0.0, cost=0.5)
    assert [spacing.due(t) for t in (9.0, 11.0, 31.0)] == [False, False, True]
    assert [spacing.due(t, epoch_ends=True) for t in (9.0, 11.0)] == [False, True]  # a twentieth of 10 s
    spacing.wrote(31.0, cost=5.0)
    assert [spacing.due(t) for t in (62.0, 130.0, 132.0)] == [False, False, True]

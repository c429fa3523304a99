"""Rows of a frozen part: computed once for each view, and good whatever happened in between."""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from data_material import CPU, SIZE, generator, pixels_of, samples_of, truth_of
from unix import UNIX

from eyebright.errors import StorageError
from eyebright.runtime.context import showing
from eyebright.runtime.terminal import TerminalProgress
from eyebright.training.cache import store as cache_module
from eyebright.training.cache.usage import usage
from eyebright.training.finetune.data.activation_cache import ActivationSource, CachedViews
from eyebright.training.finetune.data.augment import PRESETS, Augmentation
from eyebright.training.finetune.data.cached_activations import ActivationData
from eyebright.training.finetune.data.pixel_data import LabelledPixels

VIEWS, PLACES = 3, np.array([7, 3, 11, 0, 5, 3, 8])
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from eyebright.training.cache import store as cache
from test_cached_activations import data_of, frozen

cache._FLUSH_SECONDS = 0
count = 0
def run(pixels):
    global count
    count += 1
    if count > int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return frozen(pixels)
data_of(Path(sys.argv[1]), Path(sys.argv[2]), run=run).compute(batch=4)
"""


def frozen(pixels: torch.Tensor) -> torch.Tensor:
    """A convolution with weights that are always the same; (b, 4 * 7 * 7)."""
    kernel = torch.linspace(-1, 1, 4 * 3 * 8 * 8).view(4, 3, 8, 8).sin() / 64
    return torch.nn.functional.conv2d(pixels / 255, kernel, stride=8).relu().flatten(1)


class Counted:
    """Counts the images that pass."""

    def __init__(self) -> None:
        self.images = 0

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.images += len(pixels)
        return frozen(pixels)


def data_of(
    root: Path,
    cache: Path,
    run: Callable[[torch.Tensor], torch.Tensor] = frozen,
    count: int = 12,
    how: Augmentation = PRESETS["standard"],
    threads: bool = False,
    card: dict[str, Any] | None = None,
    **options: Any,
) -> ActivationData:
    train, val = samples_of(root, "train", 12)[:count], samples_of(root, "val", 7)
    (truth, classes), (holdout_truth, _) = truth_of(train), truth_of(val)
    pixels = pixels_of(root, train, how.stored_size(SIZE), cache)
    card = card or {"backbone": "convolution", "backbone_sha": "0", "cut": "end"}
    source = ActivationSource(run, 4 * (SIZE // 8) ** 2, card, threads)
    count, seed = options.pop("views", VIEWS), options.pop("seed", 0)
    return ActivationData(
        CachedViews(source, pixels, SIZE, how, cache, count, seed),
        truth=truth,
        holdout=LabelledPixels(pixels_of(root, val, SIZE, cache), holdout_truth),
        classes=classes,
        **options,
    )


def whole(data: ActivationData, epoch: int = 0) -> torch.Tensor:
    places = np.arange(data.count)
    return data.draw(places, epoch, generator()).part(slice(0, data.count), CPU)[0]


def test_held_out_rows_are_those_of_the_plain_images(textile: Path, tmp_path: Path) -> None:
    data = data_of(textile, tmp_path)
    data.compute()
    parts = list(data.holdout(3, CPU))
    assert [len(p[1]) for p in parts] == [3, 3, 1]
    val = samples_of(textile, "val", 7)
    pixels = torch.from_numpy(pixels_of(textile, val, SIZE, tmp_path).rows(np.arange(7)))
    expected = frozen(pixels.permute(0, 3, 1, 2).float())
    assert expected.std() > 0.05
    torch.testing.assert_close(torch.cat([p[0] for p in parts]), expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(torch.cat([p[1] for p in parts]), truth_of(val)[0])
    own, labels = zip(*data.holdout(2, CPU, slice(1, 6)), strict=True)  # those of one process
    assert torch.equal(torch.cat(own), torch.cat([p[0] for p in parts])[1:6])
    assert torch.equal(torch.cat(labels), torch.cat([p[1] for p in parts])[1:6])


def test_without_augmentation_there_is_one_plain_view(textile: Path, tmp_path: Path) -> None:
    counted = Counted()
    data = data_of(textile, tmp_path, counted, how=PRESETS["none"])
    data.compute()
    assert counted.images == 12 + 7
    pixels = torch.from_numpy(
        pixels_of(textile, samples_of(textile, "train", 12), SIZE, tmp_path).rows(np.arange(12))
    )
    torch.testing.assert_close(whole(data), frozen(pixels.permute(0, 3, 1, 2).float()), rtol=1e-3, atol=1e-3)
    assert torch.equal(whole(data), whole(data, 1))


def test_epochs_go_through_the_views(textile: Path, tmp_path: Path) -> None:
    data = data_of(textile, tmp_path)
    data.compute()
    epochs = [whole(data, epoch) for epoch in range(2 * VIEWS)]
    for epoch in range(VIEWS):
        assert torch.equal(epochs[epoch], epochs[epoch + VIEWS])
        for other in range(epoch):
            assert ((epochs[epoch] - epochs[other]).abs().mean(1) > 0.001).all()


def test_where_time_is_short_epochs_share_the_first_view(textile: Path, tmp_path: Path) -> None:
    counted, told = Counted(), io.StringIO()
    data = data_of(textile, tmp_path, counted)
    ten_seconds_each = count(0.0, 10.0)
    with showing(TerminalProgress(told, lambda: next(ten_seconds_each))):
        data.compute(until=0.0)
    assert counted.images == 12 + 7
    assert "7/43, " in told.getvalue()
    assert "19/43, " not in told.getvalue()  # all that there is time for: no line says that more is left
    assert data.size_bytes == (12 + 7) * 4 * 49 * 2
    assert torch.equal(whole(data, 0), whole(data, 1))
    data_of(textile, tmp_path, counted).compute(until=math.inf)
    assert counted.images == 12 * VIEWS + 7
    again = data_of(textile, tmp_path, counted)
    again.compute(until=0.0)  # what is there takes no time
    assert counted.images == 12 * VIEWS + 7
    assert not torch.equal(whole(again, 0), whole(again, 1))
    assert torch.equal(whole(again, 0), whole(data, 0))


def test_parts_are_the_whole_mixed_or_not(textile: Path, tmp_path: Path) -> None:
    for mixup in (0.0, 0.5):
        data = data_of(textile, tmp_path, mixup=mixup)
        data.compute()
        batch = data.draw(PLACES, 1, generator())
        assert batch.size == 7
        inputs, targets = batch.part(slice(0, 7), CPU)
        assert (inputs.dtype, targets.dtype) == (torch.float32, torch.float32)
        for step in (1, 3):
            parts = [batch.part(slice(n, min(n + step, 7)), CPU) for n in range(0, 7, step)]
            assert torch.equal(torch.cat([p[0] for p in parts]), inputs)
            assert torch.equal(torch.cat([p[1] for p in parts]), targets)
        if not mixup:
            assert torch.equal(inputs, whole(data, 1)[torch.from_numpy(PLACES)])
        assert (targets.max(1).values == 1).all() == (mixup == 0)


def test_what_is_there_is_not_computed_again(textile: Path, tmp_path: Path) -> None:
    counted = Counted()
    data_of(textile, tmp_path, counted, count=8).compute()
    assert counted.images == 8 * VIEWS + 7
    before = whole(data_of(textile, tmp_path, counted, count=8))
    more = data_of(textile, tmp_path, counted)
    more.compute()
    assert counted.images == 12 * VIEWS + 7
    assert torch.equal(whole(more)[:8], before)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"how": replace(PRESETS["standard"], brightness=0.3)},
        {"card": {"backbone": "convolution", "backbone_sha": "1", "cut": "end"}},
        {"card": {"backbone": "convolution", "backbone_sha": "0", "cut": "start"}},
    ],
)
def test_what_defines_rows_keeps_them_apart(textile: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    data_of(textile, tmp_path).compute()
    counted = Counted()
    data_of(textile, tmp_path, counted, **change).compute()
    assert counted.images == 12 * VIEWS + (7 if "card" in change else 0)


def test_threads_and_batches_give_the_same_rows(textile: Path, tmp_path: Path) -> None:
    one, other = data_of(textile, tmp_path / "a"), data_of(textile, tmp_path / "b", threads=True)
    one.compute(batch=5)
    other.compute()
    torch.testing.assert_close(whole(one), whole(other), rtol=1e-3, atol=1e-3)


@UNIX
@pytest.mark.parametrize("calls", [1, 7])
def test_a_computation_that_was_killed_goes_on(textile: Path, tmp_path: Path, calls: int) -> None:
    environment = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(textile), str(tmp_path), str(calls)], env=environment
    )
    assert done.returncode == -9
    counted = Counted()
    data = data_of(textile, tmp_path, counted)
    data.compute(batch=4)
    assert counted.images <= 12 * VIEWS + 7 - max(0, 4 * (calls - 1) - 1)
    fresh = data_of(textile, tmp_path / "fresh")
    fresh.compute(batch=4)
    for epoch in range(VIEWS):
        assert torch.equal(whole(data, epoch), whole(fresh, epoch))


def test_a_disk_without_room_is_told_and_nothing_computed(
    textile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted()
    data = data_of(textile, tmp_path, counted)
    assert data.size_bytes == (12 * VIEWS + 7) * 4 * 49 * 2
    monkeypatch.setattr(cache_module, "disk_free_bytes", lambda path: data.size_bytes - 1)
    with pytest.raises(StorageError, match="EYEBRIGHT_CACHE"):
        data.compute()
    assert counted.images == 0
    monkeypatch.setattr(cache_module, "disk_free_bytes", lambda path: data.size_bytes)
    data.compute()


def test_numbers_beyond_float16_are_cut_off_and_not_infinite(textile: Path, tmp_path: Path) -> None:
    data = data_of(textile, tmp_path, lambda pixels: 1e7 * (frozen(pixels) - 0.1))
    data.compute()
    assert whole(data).isfinite().all()
    assert whole(data).max() == 65504
    assert whole(data).min() < -60000


def test_the_cache_says_what_it_keeps(textile: Path, tmp_path: Path) -> None:
    data_of(textile, tmp_path).compute()
    names = {s.name: s.images for s in usage(tmp_path) if "convolution" in s.name}
    kind = f"convolution {SIZE} px, 196 x float16, view"
    assert names == {f"{kind} plain": 7, **{f"{kind} {n}": 12 for n in range(VIEWS)}}

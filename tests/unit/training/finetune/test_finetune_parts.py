"""The small pieces of the loop, one by one."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from eyebright.errors import ConfigError  # noqa: E402
from eyebright.training.finetune import budget  # noqa: E402
from eyebright.training.finetune.data.prefetch import Prefetcher  # noqa: E402
from eyebright.training.finetune.history import EpochRow, read_history, write_history  # noqa: E402
from eyebright.training.finetune.recipe import Recipe, recipe_changes  # noqa: E402
from eyebright.training.finetune.step import step_batches  # noqa: E402
from eyebright.training.finetune.system.distributed import ProcessGroup, init_group  # noqa: E402
from eyebright.training.finetune.system.memory import (  # noqa: E402
    activation_checkpointing,
    find_micro_batch,
    is_out_of_memory,
    peak_memory_mb,
)
from eyebright.training.finetune.system.seeding import draw_generator, epoch_order, seed_dropout  # noqa: E402

CPU = torch.device("cpu")


# ---- chance


def test_each_epoch_has_an_order_of_its_own_that_can_be_had_again():
    order = epoch_order(50, seed=1, epoch=2)
    assert sorted(order) == list(range(50))
    assert np.array_equal(order, epoch_order(50, seed=1, epoch=2))
    assert not np.array_equal(order, epoch_order(50, seed=1, epoch=3))
    assert not np.array_equal(order, epoch_order(50, seed=2, epoch=2))


def test_weights_make_rare_images_frequent():
    wanted = np.array([8, 1, 1], np.float32)
    places = np.concatenate([epoch_order(3, 0, epoch, wanted) for epoch in range(400)])
    assert np.bincount(places, minlength=3) / 1200 == pytest.approx([0.8, 0.1, 0.1], abs=0.03)


def test_draw_and_dropout_differ_by_place_and_repeat():
    drawn = [torch.rand(3, generator=draw_generator(0, 1, p)).tolist() for p in (0, 16, 0)]
    assert drawn[0] == drawn[2] != drawn[1]
    dropped = []
    for row in (0, 8, 0):
        seed_dropout(0, 1, 0, row)
        dropped.append(torch.rand(3).tolist())
    assert dropped[0] == dropped[2] != dropped[1]


# ---- steps


@pytest.mark.parametrize(("count", "batch"), [(100, 32), (33, 32), (7, 32), (64, 32), (5, 1)])
def test_an_epoch_is_cut_evenly_and_from_any_step_on(count, batch):
    order = np.arange(count)[::-1].copy()
    all_cuts = list(step_batches(order, 3, 0, batch))
    sizes = [len(cut.places) for cut in all_cuts]
    assert np.array_equal(np.concatenate([cut.places for cut in all_cuts]), order)
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == math.ceil(count / batch)
    later = list(step_batches(order, 3, all_cuts[-1].position, batch))
    assert np.array_equal(later[0].places, all_cuts[-1].places)


def test_processes_share_rows_without_gap():
    rows = [range(17)[ProcessGroup(CPU, rank, 4).rows(17)] for rank in range(4)]
    assert [n for part in rows for n in part] == list(range(17))


def test_a_process_alone_needs_no_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group = init_group("cpu")
    assert (group.device, group.size, group.main) == (CPU, 1, True)


# ---- feed


def test_the_feed_gives_in_order_and_begins_again():
    begin = 0
    with Prefetcher(lambda: iter(range(begin, 6)), lambda n: n * n) as feed:
        assert feed.peek() == 0
        assert [feed.take() for _ in range(3)] == [0, 1, 4]
        begin = 1
        feed.restart()
        assert [feed.take() for _ in range(5)] == [1, 4, 9, 16, 25]


def test_the_feed_works_ahead_in_a_thread_and_its_errors_come_through():
    made = threading.Event()
    threads = []

    def make(number: int) -> int:
        threads.append(threading.current_thread())
        if number == 1:
            made.set()
        if number == 2:
            raise MemoryError("no room")
        return number

    with Prefetcher(lambda: iter(range(4)), make) as feed:
        assert made.wait(10)  # the second was made though nobody asked for it
        assert [feed.take(), feed.take()] == [0, 1]
        with pytest.raises(MemoryError, match="no room"):
            feed.take()
        assert feed.take() == 3
    assert threading.current_thread() not in threads


# ---- budget


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("eyebright.training.finetune.budget.time.monotonic", lambda: now[0])
    return now


def test_the_budget_keeps_time_for_a_last_evaluation(clock):
    limit = budget.Budget(100.0)
    limit.evaluated(10.0, 10.0)  # 11 s are kept
    limit.stepped(12.0, 10.0)
    assert limit.share() == pytest.approx(12 / 89)
    limit.stepped(86.0, 84.0)
    assert not limit.over()
    limit.stepped(88.0, 86.0)  # the next would end at 90, and with the evaluation at 101
    assert limit.over()


def test_the_budget_keeps_time_for_every_evaluation_that_follows(clock):
    limit = budget.Budget(100.0, last_evaluations=3)
    limit.evaluated(10.0, 10.0)  # 33 s are kept
    limit.stepped(12.0, 10.0)
    assert limit.share() == pytest.approx(12 / 67)
    limit.stepped(66.0, 64.0)
    assert limit.over()


def test_a_resumed_budget_goes_on_where_it_was(clock):
    limit = budget.Budget(100.0, spent_seconds=60.0, evaluation_seconds=10.0)
    clock[0] += 5
    assert limit.elapsed() == 65.0
    assert not limit.over()
    assert budget.Budget(100.0, spent_seconds=95.0, evaluation_seconds=10.0).over()


def test_no_budget_is_never_over(clock):
    limit = budget.Budget(None)
    limit.stepped(1e9, 0.0)
    assert (limit.share(), limit.over()) == (0.0, False)


# ---- memory


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
        MemoryError(),
    ],
)
def test_what_means_out_of_memory(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("out of memory")])
def test_what_does_not_mean_out_of_memory(error):
    assert not is_out_of_memory(error)


def test_the_real_error_of_the_cpu_allocator_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("fits", "fastest", "most", "expected"),
    [(99, 99, 64, 64), (99, 16, 64, 16), (20, 99, 64, 16), (3, 99, 64, 2), (99, 99, 5, 5), (1, 99, 64, 1)],
)
def test_the_micro_batch_grows_while_it_gains_and_fits(fits, fastest, most, expected):
    now = 0.0

    def make_step(size: int) -> Callable[[], None]:
        nonlocal now
        now += size**3  # loading takes its time, which does not count

        def step() -> None:
            nonlocal now
            if size > fits:
                raise torch.OutOfMemoryError("out of memory")
            now += 1.0 + max(0, size - fastest)  # up to the fastest, a step takes as long whatever its size

        return step

    assert find_micro_batch(make_step, most, CPU, clock=lambda: now) == expected


def test_peak_memory_is_that_of_this_process():
    before = peak_memory_mb(CPU)
    block = torch.ones(2**26, dtype=torch.float64)  # 512 MB
    assert peak_memory_mb(CPU) >= max(before, 512)
    assert block.sum() > 0


@pytest.mark.parametrize("module", [torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))])
def test_what_is_computed_twice_has_the_same_gradients_and_counts_once(module):
    inputs = torch.rand(8, 4, generator=torch.Generator().manual_seed(0))

    def gradients():
        module.zero_grad()
        module[1].reset_running_stats()
        module(inputs).square().sum().backward()
        return [*(p.grad.clone() for p in module.parameters()), *(b.clone() for b in module.buffers())]

    plain = gradients()
    with activation_checkpointing([module]):
        twice = gradients()
    assert all(map(torch.equal, plain, twice))  # running mean, variance and count among them
    assert "forward" not in vars(module)
    assert module[1].momentum == 0.1


def test_a_device_that_is_not_there_is_said():
    missing = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(ConfigError, match=f"Got {missing}, which PyTorch does not find"):
        init_group(missing)


# ---- history and recipe


def test_history_is_read_as_it_was_written(tmp_path):
    start = EpochRow(0, 0, math.nan, 1.5, 0.25, math.nan, math.nan, 100.0, 2.0, math.nan)
    first = EpochRow(1, 12, 1.25, 0.75, 0.5, 1e-3, 33.5, 128.0, 4.5, 0.125)
    write_history(tmp_path / "history.csv", [start, first])
    rows = read_history(tmp_path / "history.csv")
    assert rows[1] == first
    assert math.isnan(rows[0].train_loss)
    assert (tmp_path / "history.csv").read_text().splitlines()[1] == "0,0,,1.5,0.25,,,100,2,"


def test_changed_settings_are_told_but_for_those_that_do_not_matter():
    before = Recipe().to_json()
    assert recipe_changes(before, Recipe(save_seconds=5.0, micro_batch=4).to_json()) == []
    assert recipe_changes(before, Recipe(seed=3).to_json()) == ["seed was 0 and is 3 from here on."]
    del before["seed"]  # as if an older version had written it
    assert recipe_changes(before, Recipe(seed=3).to_json()) == []

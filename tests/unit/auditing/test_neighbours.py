"""The nearest rows are those that a plain sort of all similarities gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from eyebright.auditing import neighbours
from eyebright.auditing.neighbours import near, unit


@pytest.mark.parametrize("most", [1, 6])
@pytest.mark.parametrize("cut", [-1.0, 0.97])
@pytest.mark.parametrize("count", [5, 300, 1797])
def test_the_nearest_are_those_of_a_plain_sort(
    count: int, cut: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", 1 << 20)  # some blocks
    rows = unit(load_digits().data[:count].astype(np.float32))
    similar = rows @ rows.T
    limit = np.maximum(cut, np.sort(similar, axis=1)[:, -min(most, count)])
    expected = set(zip(*np.nonzero(similar >= limit[:, None] + 1e-6), strict=True))
    allowed = set(zip(*np.nonzero(similar >= limit[:, None] - 1e-6), strict=True))
    cutting = count // 3
    for among in ((rows,), (rows[:cutting], rows[cutting:])):
        found = list(zip(*near(count, lambda block: rows[block], among, cut, most), strict=True))
        assert expected <= set(found) <= allowed
        assert len(set(found)) == len(found)


def test_of_several_views_the_nearest_counts() -> None:
    rows = unit(load_digits().data[:200].astype(np.float32))
    views = np.stack([np.roll(rows, 1, axis=0), rows], axis=1)
    query, met = near(200, lambda block: views[block], (rows,), 0.9999, 1)
    assert set(query) == set(range(200))
    assert set((query - met) % 200) <= {0, 1}  # its own view, the one before, or both where they are as near

"""A file appears whole or not at all, also where another process interferes."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyebright.errors import StorageError
from eyebright.runtime.atomic import atomic_path


def test_a_temporary_file_that_another_process_removes_is_told(tmp_path: Path) -> None:
    def write() -> None:
        with atomic_path(tmp_path / "a.json") as temporary:
            temporary.write_bytes(b"{}")
            temporary.unlink()

    with pytest.raises(StorageError, match=r"a\.json failed"):
        write()
    assert list(tmp_path.iterdir()) == []

"""Loaded against installed."""

from __future__ import annotations

import numpy as np
import pytest

from eyebright.colab.installed import check_install


def test_what_is_loaded_here_is_what_is_installed():
    found = check_install()
    assert found.same["numpy"] == np.__version__
    assert not found.restart_needed
    assert f"numpy {np.__version__}" in repr(found)


def test_a_package_that_pip_changed_asks_for_a_restart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(np, "__version__", "1.0.0")
    found = check_install()
    assert found.restart_needed
    assert found.changed["numpy"][0] == "1.0.0"
    assert "Restart the runtime" in repr(found)


def test_a_local_label_is_no_change(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(np, "__version__", f"{np.__version__}+cu128")
    assert not check_install().restart_needed

"""Marks tests of what Windows does not have."""

from __future__ import annotations

import os

import pytest

UNIX = pytest.mark.skipif(os.name == "nt", reason="pipes, permissions, limits and signals as Unix has them")

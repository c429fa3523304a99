"""Where a stand-in for Colab's package lies; with this folder on the path, `google.colab` is it."""

from __future__ import annotations

from pathlib import Path

STUB = Path(__file__).parent

"""What a cell shows."""

from __future__ import annotations

from . import note


def eval_js(script: str) -> str:
    """Answer as Colab's page does to the one question that is asked."""
    note("eval_js", script)
    return "https://8000-m-s-stub.prod.colab.dev/"


def serve_kernel_port_as_iframe(port: int, path: str = "/", height: str = "400") -> None:
    """Note what would be shown."""
    note("iframe", port, path, height)

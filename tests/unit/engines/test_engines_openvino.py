"""OpenVINO's engine beside what else a process does."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("openvino")

_SCRIPT = """
import gc
import signal
import threading

from eyebright.backbones import embedded
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.backbones.feature_layers import feature_layer_sets
from eyebright.engines.openvino import OpenVinoEngine
from eyebright.training.linear_probe.features import graph_bytes, training_preprocessing

signal.signal(signal.SIGTERM, lambda *_: print("ended in order"))
taps = feature_layer_sets(embedded.card())["texture"]
graph = graph_bytes(EmbeddedBackbone(), training_preprocessing(embedded.card(), 32), taps)
engines = [OpenVinoEngine(graph, "float32")]
letting_go = threading.Thread(target=engines.clear)
letting_go.start()
letting_go.join()
gc.collect()
signal.raise_signal(signal.SIGTERM)
"""


def test_a_signal_is_answered_after_another_thread_has_let_go_of_an_engine() -> None:
    # In a process of its own: what is tested ended it with a segmentation fault.
    ran = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "ended in order\n", "")

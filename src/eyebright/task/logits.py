"""Probabilities and losses of logits."""

from __future__ import annotations

import numpy as np

from eyebright.types import FloatArray, IntArray


def softmax(logits: FloatArray, temperature: float = 1.0) -> FloatArray:
    """Return probabilities (N, K) of logits (N, K), each divided by ``temperature``."""
    scaled = np.asarray(logits, np.float32) / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def sigmoid(logits: FloatArray) -> FloatArray:
    """Return probabilities of logits of any shape, each taken by itself."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)


def cross_entropy(logits: FloatArray, truth: IntArray) -> FloatArray:
    """Return the cross-entropy (N,) in nats of logits (N, K) with class numbers (N,)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    loss: FloatArray = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]
    return loss


def binary_cross_entropy(logits: FloatArray, truth: IntArray) -> FloatArray:
    """Return the cross-entropy in nats of each logit with its target, 0 or 1; the shapes may broadcast."""
    return np.asarray(np.logaddexp(0, logits) - truth * logits, np.float32)

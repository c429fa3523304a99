"""Losses of self-supervised learning on the projections of several views of every image of a batch.

All are means over the ordered pairs of views, so that two views give the published losses.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import mse_loss, normalize, relu

Method = Literal["simclr", "vicreg", "barlow"]
#: Projections (n, V, d) of V views of n images → the loss, a scalar.
ViewsLoss = Callable[[Tensor], Tensor]

_INVARIANCE, _VARIANCE, _COVARIANCE = 25.0, 25.0, 1.0  # VICReg's weights (Bardes et al., 2022)
_REDUNDANCY = 5e-3  # Barlow Twins' weight of what lies off the diagonal (Zbontar et al., 2021)
_SMALLEST_VARIANCE = 1e-4
_SMALLEST_BATCH_VARIANCE = 1e-5  # as batch normalisation adds


def loss_of(method: Method, temperature: float) -> ViewsLoss:
    """Return the loss of a method; only SimCLR's has a temperature."""
    if method == "simclr":
        return lambda projections: nt_xent(projections, temperature)
    return vicreg if method == "vicreg" else barlow_twins


def nt_xent(projections: Tensor, temperature: float) -> Tensor:
    """Return the normalised temperature-scaled cross-entropy of SimCLR (Chen et al., 2020).

    Each view is to be told from all views of all other images by each other view of its own image, which are
    the positives; those are not negatives of one another.

    Args:
        projections: (n, V, d), V at least 2; two images at least, or there is nothing to be told from.
        temperature: of the softmax.
    """
    images, views, _ = projections.shape
    rows = normalize(projections.flatten(0, 1), dim=1)
    logits = rows @ rows.T / temperature
    image = torch.arange(images * views, device=rows.device) // views
    own = image[:, None] == image[None, :]
    others = logits.masked_fill(own, float("-inf")).logsumexp(1, keepdim=True)
    positive = own & ~torch.eye(len(own), dtype=torch.bool, device=own.device)
    similar = logits[positive].view(-1, views - 1)
    return (torch.logaddexp(similar, others) - similar).mean()


def vicreg(projections: Tensor) -> Tensor:
    """Return VICReg's loss: views alike, every dimension varied, and no two dimensions the same.

    Args:
        projections: (n, V, d), n and V at least 2.
    """
    views = projections.unbind(1)
    alike = torch.stack([mse_loss(a, b) for a, b in combinations(views, 2)]).mean()
    varied = torch.stack([relu(1 - (v.var(0) + _SMALLEST_VARIANCE).sqrt()).mean() for v in views]).mean()
    shared = torch.stack([_off_diagonal(_covariance(v)).square().sum() / v.shape[1] for v in views]).sum()
    return _INVARIANCE * alike + _VARIANCE * varied + _COVARIANCE * 2 / len(views) * shared


def barlow_twins(projections: Tensor) -> Tensor:
    """Return Barlow Twins' loss: the correlation of two views' dimensions is to be the identity.

    Args:
        projections: (n, V, d), n and V at least 2.
    """
    views = [_standardised(view) for view in projections.unbind(1)]
    return torch.stack([_redundancy(a.T @ b / len(a)) for a, b in combinations(views, 2)]).mean()


def chance(method: Method, images: int, views: int) -> float | None:
    """Return the loss of SimCLR where all projections are the same; None of a method that has none."""
    if method != "simclr":
        return None
    return float(torch.tensor(1 + (images - 1) * views).log())


def _covariance(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(0)
    return centred.T @ centred / (len(rows) - 1)


def _standardised(rows: Tensor) -> Tensor:
    variance, mean = torch.var_mean(rows, 0, correction=0)
    return (rows - mean) / (variance + _SMALLEST_BATCH_VARIANCE).sqrt()


def _redundancy(correlation: Tensor) -> Tensor:
    diagonal = torch.diagonal(correlation)
    return (diagonal - 1).square().sum() + _REDUNDANCY * _off_diagonal(correlation).square().sum()


def _off_diagonal(square: Tensor) -> Tensor:
    return square.masked_fill(torch.eye(len(square), dtype=torch.bool, device=square.device), 0.0)

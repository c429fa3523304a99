"""A moving average of the weights, which is often better than the weights it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_WARMUP_POWER = 2 / 3
_UPDATES = "ema:updates"


class Ema:
    """Exponential moving average of a network's parameters and float buffers.

    The decay rises from 0, as 1 - (1 + updates) ** (-2/3), so that a short training's average is not the
    weights that it began with.

    Args:
        net: whose weights are followed; its device and dtypes are the average's.
        decay: the highest decay.

    Attributes:
        updates: how many there were.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.updates = 0
        self._decay = decay
        self._average = {name: tensor.detach().clone() for name, tensor in _floats(net).items()}

    def decay(self) -> float:
        """Return share of the average that the next update keeps."""
        risen: float = 1 - (1 + self.updates) ** -_WARMUP_POWER
        return min(self._decay, risen)

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Move the average towards the network's weights."""
        own = _floats(net)
        torch._foreach_lerp_(
            list(self._average.values()), [own[name] for name in self._average], weight=1 - self.decay()
        )
        self.updates += 1

    @contextmanager
    def applied(self, net: nn.Module) -> Iterator[None]:
        """Give the network the averaged weights within the block; changing them changes the average."""
        self._swap(net)
        try:
            yield
        finally:
            self._swap(net)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged tensors by their names in the network, and the number of updates."""
        return {**self._average, _UPDATES: torch.tensor(self.updates)}

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` gave; from a network's own state it begins anew."""
        for name, average in self._average.items():
            if name in tensors:  # a network's own state lacks what it does not keep, such as pixel means
                average.copy_(tensors[name])
        self.updates = int(tensors[_UPDATES]) if _UPDATES in tensors else 0

    def _swap(self, net: nn.Module) -> None:
        # Exchanges storages, so no weight is copied and optimisers keep their parameters.
        for name, tensor in _floats(net).items():
            tensor.data, self._average[name] = self._average[name], tensor.data


def _floats(net: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers of floating point by name, tied ones once."""
    named = [*net.named_parameters(), *net.named_buffers()]
    return {name: tensor for name, tensor in named if tensor.is_floating_point()}

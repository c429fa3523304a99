"""Several processes that train one network, started by ``torchrun`` or ``accelerate launch``.

Hugging Face Accelerate starts the group: which backend (NCCL, Gloo, XCCL, XLA …), which process has which
device, which network interface. It does no more than that here, for these reasons:

- DistributedDataParallel adds up gradients inside the backward pass. A process that runs out of memory there
  leaves the others waiting, while ours can retry with smaller micro-batches; and it must know at the start
  which weights will ever learn, which gradual unfreezing changes. So each process makes its gradients alone,
  and one sum of one flat vector follows. What is lost is that the sum does not overlap the backward pass.
- ``Accelerator`` replaces the network's ``forward``, and fixes precision and device for the life of the
  process, in which `--finetune auto` trains several times.

Everything that processes must agree on (gradients, loss, time) travels in these sums.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn

from eyebright.errors import ConfigError
from eyebright.types import FloatArray

# While one process computes features the others wait; where one fails, the launcher ends them all.
_PATIENCE = timedelta(days=2)


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together.

    Attributes:
        device: of this process.
        rank: this process's number, from 0.
        size: how many there are.
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Return whether this process writes the files and talks."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Return this process's slice of ``count`` rows."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def sum(self, numbers: Tensor) -> Tensor:
        """Return the sum over all processes, of a tensor that has the same shape in each."""
        if self.size == 1:
            return numbers
        from accelerate.utils import reduce

        total: Tensor = reduce(numbers, reduction="sum")
        return total

    def broadcast(self, number: float) -> float:
        """Return the first process's number in all; for what each would measure differently."""
        return float(self._broadcast(torch.tensor([number]))) if self.size > 1 else number

    def broadcast_array(self, table: FloatArray) -> FloatArray:
        """Return the first process's array in all; it has the same shape in each."""
        return self._broadcast(torch.from_numpy(table)).cpu().numpy() if self.size > 1 else table

    def broadcast_weights(self, net: nn.Module) -> None:
        """Give all processes the first one's weights, whose files another machine may not see."""
        if self.size > 1:
            for tensor in net.state_dict().values():
                tensor.copy_(self._broadcast(tensor))

    def _broadcast(self, tensor: Tensor) -> Tensor:
        from accelerate.utils import broadcast

        found: Tensor = broadcast(tensor.to(self.device))
        return found

    def sum_gradients(self, net: nn.Module, *figures: Tensor) -> list[Tensor]:
        """Replace each gradient by its sum over the processes, and add up ``figures`` (scalars) on the way.

        Running statistics (float buffers) become their mean, so that the networks stay equal.
        """
        if self.size == 1:
            return list(figures)
        learning = [p for p in net.parameters() if p.requires_grad]
        for parameter in learning:  # a process may have had no row, and so no gradient
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in learning if p.grad is not None]
        statistics = [b for b in net.buffers() if b.is_floating_point()]
        parts = [*gradients, *(b / self.size for b in statistics), *figures]
        total = self.sum(torch.cat([part.detach().flatten().float() for part in parts]))
        _spread(total, [*gradients, *statistics])
        return list(total[-len(figures) :])

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Let the first process work while the others wait; then they find its results in the cache."""
        if not self.main:
            self.barrier()
        yield
        if self.main:
            self.barrier()

    def barrier(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            from accelerate.state import PartialState

            PartialState().wait_for_everyone()


def init_group(device: str = "auto") -> ProcessGroup:
    """Return the processes that this one was started with, or itself alone.

    Args:
        device: ``"cpu"``, ``"cuda"``, ``"mps"``, ``"xla"``, or ``"auto"`` for the best there is.

    Raises:
        ConfigError: this machine has no such device, or PyTorch cannot use it.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 and device != "xla":
        return ProcessGroup(_device(device))
    from accelerate.state import PartialState

    state = PartialState(cpu=device == "cpu", timeout=_PATIENCE)
    if device not in ("auto", torch.device(state.device).type):
        raise _no_such(device)
    return ProcessGroup(torch.device(state.device), state.process_index, state.num_processes)


def _device(name: str) -> torch.device:
    if name == "cpu":
        return torch.device("cpu")
    found = torch.accelerator.current_accelerator(check_available=True)
    if name == "auto":
        return found or torch.device("cpu")
    if found is None or found.type != name:
        raise _no_such(name)
    return torch.device(name)


def _no_such(device: str) -> ConfigError:
    return ConfigError(
        "--device must name a device that PyTorch can use on this machine. Got {device}, which "
        "PyTorch does not find. Use --device auto, or install a PyTorch build for that device.",
        device=device,
    )


def _spread(flat: Tensor, tensors: Iterable[Tensor]) -> None:
    begin = 0
    for tensor in tensors:
        tensor.copy_(flat[begin : begin + tensor.numel()].view(tensor.shape))
        begin += tensor.numel()

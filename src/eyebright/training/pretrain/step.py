"""One step: the loss of a whole batch, its gradients in parts that fit into memory, and the update.

The losses compare every image of a batch with every other, so gradients of parts cannot simply be added up.
First all features are computed without their graphs, and gathered from all processes. The loss on them gives
the gradient of each feature. Then each part passes through the network again, and sends its own back (Gao et
al., 2021, "Scaling deep contrastive learning batch size under memory limited setup"). So the loss is that of
the whole batch, however it is cut; it costs one more forward pass. A batch in one piece passes once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from eyebright.errors import TrainingError
from eyebright.training.finetune.data.protocol import batch_slices
from eyebright.training.finetune.step import autocast
from eyebright.training.finetune.system.distributed import ProcessGroup
from eyebright.training.finetune.system.memory import OomRetry, free, is_out_of_memory
from eyebright.training.pretrain.encoder import Pretrainer
from eyebright.training.pretrain.losses import ViewsLoss
from eyebright.training.pretrain.views_data import DrawnViews


class PretrainStep:
    """Updates the weights of an encoder and its projector.

    Args:
        net: both.
        optimizer: of their weights.
        loss: of a batch's projections.
        group: the processes that share a step.
        precision: of the encoder's forward pass.
        clip_norm: largest norm of the gradients.
    """

    def __init__(
        self,
        net: Pretrainer,
        optimizer: torch.optim.Optimizer,
        loss: ViewsLoss,
        group: ProcessGroup,
        precision: str,
        clip_norm: float,
    ) -> None:
        self.net, self.optimizer, self.group = net, optimizer, group
        self.retry = OomRetry(group.device)
        self._loss, self._precision, self._clip_norm = loss, precision, clip_norm
        self._rates = [group["lr"] for group in optimizer.param_groups]

    def set_rate(self, factor: float) -> None:
        """Set every group to ``factor`` of its highest learning rate."""
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor

    def gradients(
        self, drawn: DrawnViews, images: int, views: int, micro_batch: int, halve: Callable[[], int]
    ) -> float:
        """Make the gradients of a batch, and return its loss.

        Where memory runs out, the part that failed is done again in smaller pieces. Nothing that processes do
        together is ever done again by one of them alone.

        Args:
            drawn: the batch.
            images: n.
            views: V of each.
            micro_batch: images that pass through the encoder at once.
            halve: gives the next smaller number.

        Raises:
            TrainingError: not even one image fits.
        """
        own = self.group.rows(images)
        while self.group.size == 1 and micro_batch >= images:
            once = self.retry.do(lambda: self._in_one(drawn, slice(0, images), images, views))
            if once is not None:
                return float(once)
            self.drop()
            micro_batch = halve()
        while (
            found := self.retry.do(partial(self._gathered, drawn, own, images, views, micro_batch))
        ) is None:
            micro_batch = halve()
        features = self.group.sum(found).requires_grad_()
        loss = self._batch_loss(features, images, views)
        torch.autograd.backward(loss)
        if features.grad is None:
            raise RuntimeError("the loss does not depend on the features")
        kept = {
            name: p.grad.clone() for name, p in self.net.projector.named_parameters() if p.grad is not None
        }
        while self.retry.do(partial(self._sent_back, drawn, own, views, micro_batch, features.grad)) is None:
            self.drop()
            for name, parameter in self.net.projector.named_parameters():
                parameter.grad = kept[name].clone()
            micro_batch = halve()
        return float(loss.detach())

    def drop(self) -> None:
        """Drop the gradients, and give their memory back."""
        self.optimizer.zero_grad(set_to_none=True)
        free(self.group.device)

    def update(self) -> None:
        """Update the weights by the gradients of all processes.

        Raises:
            TrainingError: there is no room for the optimiser's state.
        """
        if self.group.size > 1:
            for parameter in self.net.projector.parameters():  # each process has all of it
                if parameter.grad is not None:
                    parameter.grad /= self.group.size
            self.group.sum_gradients(self.net, torch.zeros((), device=self.group.device))
        try:
            learning = [p for p in self.net.parameters() if p.grad is not None]
            nn.utils.clip_grad_norm_(learning, self._clip_norm)
            self.optimizer.step()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                "The weights and the optimiser state must fit in memory. They do not. Choose a smaller "
                "backbone, or train fewer blocks with --unfreeze."
            ) from error
        self.optimizer.zero_grad(set_to_none=True)

    def _in_one(self, drawn: DrawnViews, part: slice, images: int, views: int) -> Tensor:
        statistics = [buffer.clone() for buffer in self.net.projector.buffers()]
        try:
            loss = self._batch_loss(self._features(drawn, part), images, views)
            torch.autograd.backward(loss)
        except (RuntimeError, MemoryError):  # what was counted by an attempt must not count twice
            for buffer, before in zip(self.net.projector.buffers(), statistics, strict=True):
                buffer.copy_(before)
            raise
        return loss.detach()

    @torch.no_grad()  # here, since an attempt may be made in another thread
    def _gathered(self, drawn: DrawnViews, own: slice, images: int, views: int, micro_batch: int) -> Tensor:
        """Return features (n · V, D) of this process's images, and zeros for those of the others."""
        features = torch.zeros(images * views, self.net.encoder.width, device=self.group.device)
        for part in batch_slices(images, micro_batch, own):
            features[_rows(part, views)] = self._features(drawn, part)
        return features

    def _sent_back(
        self, drawn: DrawnViews, own: slice, views: int, micro_batch: int, gradient: Tensor
    ) -> bool:
        for part in batch_slices(own.stop, micro_batch, own):
            torch.autograd.backward(self._features(drawn, part), gradient[_rows(part, views)])
        return True

    def _features(self, drawn: DrawnViews, part: slice) -> Tensor:
        inputs = drawn.part(part, self.group.device)
        with autocast(self._precision, self.group.device):
            features: Tensor = self.net.encoder(inputs)
        return features.float()

    def _batch_loss(self, features: Tensor, images: int, views: int) -> Tensor:
        projections: Tensor = self.net.projector(features)
        return self._loss(projections.view(images, views, -1))


def _rows(part: slice, views: int) -> slice:
    return slice(part.start * views, part.stop * views)

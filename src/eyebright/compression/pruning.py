"""Structured pruning: whole channels leave a sealed model's network, the least important first.

torch-pruning finds which channels of which layers belong together. What is pooled from the network's maps has
no weights, so it follows by itself; the head is solved again on what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import onnx
import torch
from torch import Tensor, fx, nn

from eyebright.backbones.torch.exported import to_onnx
from eyebright.errors import ModelError
from eyebright.onnx_torch.module import to_module
from eyebright.sealed.graph import OUTPUT
from eyebright.sealed.subgraphs import FEATURES, PIXELS, subgraph_from
from eyebright.types import FloatArray, IntArray

Importance = Literal["taylor", "norm"]

_STEPS = 50  # from nothing to almost everything
_MOST = 0.9  # of a layer's channels that may go
_LEAST_LOG = 1e-9
_BLOCK = 16  # channels that quick kernels compute together; what is left over makes a network slow


@dataclass(frozen=True)
class Pruned:
    """A network that lost channels.

    Attributes:
        graph: `pixels` float32 (B, 3, S, S), normalised → `features` (B, D).
        width: D.
        operations, operations_before: multiplications of one image.
        parameters, parameters_before: weights without the head's.
    """

    graph: onnx.ModelProto
    width: int
    operations: int
    operations_before: int
    parameters: int
    parameters_before: int


def prune(
    sealed: onnx.ModelProto,
    size: int,
    layers: Sequence[str],
    keep: float,
    importance: Importance,
    batches: Iterable[tuple[FloatArray, IntArray]],
    on_step: Callable[[float], None] = lambda share: None,
) -> Pruned:
    """Remove channels until the network needs at most ``keep`` of its multiplications.

    Args:
        sealed: a sealed graph in float32.
        size: S.
        layers: names of the maps that its features are pooled from.
        keep: share of the multiplications, above 0 and below 1.
        importance: of a channel: by the loss's slope (Taylor), or by the norm of its weights.
        batches: normalised pixels (b, 3, S, S) and class numbers (b,) of training images, for Taylor.
        on_step: is told the share that is left.

    Raises:
        ModelError: it has attention, or channels that cannot be told apart, or so few would be left.
        UnreadableError: an operator has no counterpart in PyTorch.
    """
    import torch_pruning

    _check(subgraph_from(sealed, PIXELS, size, [OUTPUT]))  # the unknown score's own product is no attention
    whole = _flattened(to_module(_opened(sealed, size, layers)))
    trunk, body = _with_outputs(whole, slice(0, len(layers))), _with_outputs(whole, len(layers))
    example = torch.zeros(1, 3, size, size)
    before = torch_pruning.utils.count_ops_and_params(trunk, example)
    if importance == "taylor":
        _slopes(whole, batches)
    pruner = _pruner(torch_pruning, trunk, example, importance)
    operations, parameters = before
    for _ in range(_STEPS):
        try:
            pruner.step()
            operations, parameters = torch_pruning.utils.count_ops_and_params(trunk, example)
        except (RuntimeError, IndexError, ValueError, KeyError) as error:
            raise _unprunable(str(error)) from error
        on_step(operations / before[0])
        if operations <= keep * before[0]:
            break
    else:
        raise ModelError(
            "Pruning must reach {keep} % of the multiply-adds. {reached} % remain when every layer "
            "is pruned as far as possible. Increase --keep, or distil a smaller model: eyebright "
            "distill.",
            keep=f"{100 * keep:.0f}",
            reached=f"{100 * operations / before[0]:.0f}",
        )
    try:
        width = _width(body, size)
    except RuntimeError as error:
        raise _unprunable(str(error)) from error
    body.zero_grad(set_to_none=True)
    graph = to_onnx(body.eval(), torch.zeros(2, 3, size, size), PIXELS, [FEATURES])
    return Pruned(graph, width, int(operations), int(before[0]), int(parameters), int(before[1]))


def _check(graph: onnx.ModelProto) -> None:
    """Refuse networks that multiply activations with each other: torch-pruning gets their shapes wrong."""
    constants = {tensor.name for tensor in graph.graph.initializer}
    products = [node for node in graph.graph.node if node.op_type == "MatMul"]
    if any(constants.isdisjoint(node.input) for node in products):
        raise ModelError(
            "Pruning needs a backbone with separable channels, such as a convolutional one. This one "
            "uses attention. Distil a smaller model instead: eyebright distill."
        )


def _opened(sealed: onnx.ModelProto, size: int, layers: Sequence[str]) -> onnx.ModelProto:
    """Return the graph from normalised pixels to maps (B, C, h, w), features and probabilities."""
    part = subgraph_from(sealed, PIXELS, size, [*layers, FEATURES, OUTPUT])
    for output in part.graph.output:
        if output.name in layers:
            free = onnx.helper.make_tensor_value_info(
                output.name, onnx.TensorProto.FLOAT, ["B", None, None, None]
            )
            output.CopyFrom(free)
    return part


def _flattened(whole: fx.GraphModule) -> fx.GraphModule:
    """Flatten where exporters reshape to a fixed number of channels.

    A reshape of something else breaks when channels go, and is told then.
    """
    for node in whole.graph.nodes:
        if node.target is torch.reshape and len(node.args[1]) == 2 and node.args[1][0] == -1:
            node.target, node.args = torch.flatten, (node.args[0], 1)
    whole.recompile()
    return whole


def _with_outputs(whole: fx.GraphModule, which: int | slice) -> fx.GraphModule:
    """Return the same layers, with only some of the outputs."""
    graph = fx.Graph()
    copied: dict[fx.Node, Any] = {}
    graph.graph_copy(whole.graph, copied)
    (output,) = (node for node in whole.graph.nodes if node.op == "output")
    wanted = output.args[0][which]
    graph.output(tuple(copied[n] for n in wanted) if isinstance(wanted, tuple) else copied[wanted])
    part = fx.GraphModule(whole, graph)
    part.graph.eliminate_dead_code()
    part.recompile()
    part.delete_all_unused_submodules()
    return part.eval()


def _pruner(library: Any, trunk: nn.Module, example: Tensor, importance: Importance) -> Any:
    kinds = {
        "taylor": library.importance.GroupTaylorImportance,
        "norm": library.importance.GroupMagnitudeImportance,
    }
    try:
        return library.pruner.BasePruner(
            trunk,
            example,
            importance=kinds[importance](),
            pruning_ratio=_MOST,
            max_pruning_ratio=_MOST,
            global_pruning=True,
            isomorphic=True,
            iterative_steps=_STEPS,
            round_to=_BLOCK,
        )
    except (RuntimeError, IndexError, ValueError, KeyError) as error:
        raise _unprunable(str(error)) from error


def _slopes(whole: nn.Module, batches: Iterable[tuple[FloatArray, IntArray]]) -> None:
    """Leave the gradient of the log loss over the images in the weights' ``grad``."""
    whole.requires_grad_(True)
    for pixels, truth in batches:
        *_, probabilities = whole(torch.from_numpy(pixels))
        right = probabilities.gather(1, torch.from_numpy(truth)[:, None])
        torch.autograd.backward(-(right + _LEAST_LOG).log().sum())


@torch.no_grad()
def _width(body: nn.Module, size: int) -> int:
    """Return D; a pass of two images shows that what is left still fits together."""
    features: Tensor = body(torch.zeros(2, 3, size, size))
    return features.shape[1]


def _unprunable(reason: str) -> ModelError:
    return ModelError(
        "Pruning needs a backbone with separable channels, such as a convolutional one. This one "
        "cannot be pruned: {reason}. Distil a smaller model instead: eyebright distill.",
        reason=reason.strip().splitlines()[0][:200] if reason.strip() else "shapes do not fit",
    )

"""A network cut in two behind one of its blocks: the frozen stem below, and what learns above it."""

from __future__ import annotations

import inspect
import io
import operator
from collections.abc import Collection, Container, Iterable
from contextlib import redirect_stderr
from typing import Any

import torch
from torch import Tensor, fx, nn

from eyebright.backbones.torch.blocks import outputs_of
from eyebright.errors import ModelError

# What following a forward pass raises that was not written for it.
_UNFOLLOWABLE = (
    fx.proxy.TraceError,
    TypeError,
    AttributeError,
    RuntimeError,
    ValueError,
    LookupError,
    AssertionError,
)


def split(body: nn.Module, blocks: Iterable[str], block: str, size: int) -> tuple[nn.Module, nn.Module]:
    """Cut ``body`` behind ``block``; both parts share its submodules and parameters.

    Args:
        body: a network's; see :class:`~eyebright.backbones.torch.network.Network`.
        blocks: all of its blocks.
        block: the last one of the lower part.
        size: S of the images that it will see.

    Returns:
        lower and upper, with upper(lower(pixels)) equal to body(pixels) for pixels (B, 3, S, S).

    Raises:
        ModelError: more than one value crosses the cut, or the network's forward pass cannot be followed.
    """
    # The forward passes of the modules around the blocks are followed, all others are taken as they are.
    tracer = _Tracer(body, {*_around(blocks), *_around([block])}, size)
    try:
        graph = tracer.trace(body, _defaults(body))
        cut = _cut(graph, block, tracer)
        result = next(node for node in graph.nodes if node.op == "output").args[0]
        lower = _lower(body, graph, cut[0])
        upper = _upper(body, graph, cut, result, tracer)
        same = _agree(body, lower, upper, size)
    except _UNFOLLOWABLE as error:
        raise _uncuttable(block) from error
    if not same:
        raise _uncuttable(block)
    return lower, upper


def _defaults(body: nn.Module) -> dict[str, object]:
    """Return what the forward pass takes beside the pixels."""
    parameters = inspect.signature(body.forward).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _around(blocks: Iterable[str]) -> set[str]:
    """Return names of the modules that hold blocks; the body's own is empty."""
    holders = {""}
    for name in blocks:
        while name := name.rpartition(".")[0]:
            holders.add(name)
    return holders


class _Tracer(fx.Tracer):
    """Follows forward passes; where one asks for a value, the answer for a blank image is given."""

    def __init__(self, body: nn.Module, followed: set[str], size: int) -> None:
        super().__init__(param_shapes_constant=True)
        self.followed = followed
        self.pixels = torch.zeros(1, 3, size, size)
        self.outputs = outputs_of(body, self.pixels)
        self.tensors = {**dict(body.named_parameters()), **dict(body.named_buffers())}
        self.values: dict[fx.Node, Any] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name not in self.followed

    def to_bool(self, obj: fx.Proxy) -> bool:
        return bool(self.value(obj.node))

    def value(self, node: fx.Node) -> Any:
        """Return what the node gives for a blank image."""
        if node not in self.values:
            with torch.no_grad():
                self.values[node] = self._compute(node)
        return self.values[node]

    def _compute(self, node: fx.Node) -> Any:
        match node.op, node.target:
            case "placeholder", _:
                return self.pixels
            case "get_attr", str(name):
                return self.tensors[name]
            case "call_module", str(name):
                return self.outputs[name]
        arguments = fx.map_arg(node.args, self.value)
        keywords = fx.map_arg(node.kwargs, self.value)
        if isinstance(node.target, str):
            return getattr(arguments[0], node.target)(*arguments[1:], **keywords)
        return node.target(*arguments, **keywords)


def _cut(graph: fx.Graph, block: str, tracer: _Tracer) -> list[fx.Node]:
    """Return the block's tensor in the graph, or of several values the nodes that take the first one."""
    place = next(n for n in graph.nodes if n.op == "call_module" and n.target == block)
    if isinstance(tracer.value(place), Tensor):
        return [place]
    return [n for n in place.users if n.target is operator.getitem and n.args[1] == 0]


def _upper(
    body: nn.Module, graph: fx.Graph, cut: list[fx.Node], result: fx.Node, tracer: _Tracer
) -> fx.GraphModule:
    """Build the part from the cut on; sizes that only the lower part knows are equal for all images."""
    part = fx.Graph()
    given = part.placeholder("lower")
    copies: dict[fx.Node, Any] = dict.fromkeys(cut, given)
    lost = _needed(result, cut) & _from_pixels(graph, cut)
    for node in graph.nodes:
        if node not in lost:
            continue
        if _is_batch_size(node):
            copies[node] = part.call_method("size", (given, 0))
        elif node.target is not getattr and _is_numbers(value := tracer.value(node)):
            copies[node] = tuple(value) if isinstance(value, tuple) else value  # fx has no torch.Size
    return _part(body, graph, part, copies, result)


def _lower(body: nn.Module, graph: fx.Graph, cut: fx.Node) -> fx.GraphModule:
    part = fx.Graph()
    pixels = next(node for node in graph.nodes if node.op == "placeholder")
    return _part(body, graph, part, {pixels: part.placeholder("pixels")}, cut)


def _part(
    body: nn.Module, graph: fx.Graph, part: fx.Graph, copies: dict[fx.Node, Any], result: fx.Node
) -> fx.GraphModule:
    """Add what ``result`` needs to ``part``, which has copies of some nodes, or constants for them."""
    needed = _needed(result, copies)
    for node in graph.nodes:
        if node in needed:
            if node.op == "placeholder":
                raise ValueError("pixels pass by the cut")
            copies[node] = part.node_copy(node, copies.__getitem__)
    part.output(copies[result])
    part.lint()
    return fx.GraphModule(body, part)


def _from_pixels(graph: fx.Graph, cut: Collection[fx.Node]) -> set[fx.Node]:
    """Return the nodes that get anything of the pixels on a way that does not lead through the cut."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        if node not in cut and (node.op == "placeholder" or found.intersection(node.all_input_nodes)):
            found.add(node)
    return found


def _is_batch_size(node: fx.Node) -> bool:
    """Return whether the node is `x.shape[0]`."""
    whole, place = (*node.args, None, None)[:2]
    if not isinstance(whole, fx.Node) or not isinstance(place, int):
        return False
    shape = whole.target is getattr and str(whole.args[1]) == "shape"
    return shape and node.target is operator.getitem and place == 0


def _is_numbers(value: object) -> bool:
    return all(map(_is_numbers, value)) if isinstance(value, tuple) else isinstance(value, int)


def _needed(result: fx.Node, known: Container[fx.Node]) -> set[fx.Node]:
    """Return the nodes that lead to ``result``, up to the known ones."""
    needed: set[fx.Node] = set()
    waiting = [result]
    while waiting:
        node = waiting.pop()
        if node not in needed and node not in known:
            needed.add(node)
            waiting.extend(node.all_input_nodes)
    return needed


def _agree(body: nn.Module, lower: nn.Module, upper: nn.Module, size: int) -> bool:
    """Return whether the parts do what the whole does, for another batch size than the traced one."""
    pixels = torch.linspace(-1, 1, 2 * 3 * size * size).reshape(2, 3, size, size)
    training = {module: module.training for module in body.modules()}
    try:
        body.eval()
        with torch.no_grad(), redirect_stderr(io.StringIO()):  # where fx prints the code that failed
            whole, parts = body(pixels), upper(lower(pixels))
    finally:
        for module, was in training.items():
            module.training = was
    return whole.shape == parts.shape and bool(torch.allclose(whole, parts, rtol=1e-4, atol=1e-5))


def _uncuttable(block: str) -> ModelError:
    return ModelError(
        "Exactly one value must pass from the frozen stem of a backbone to the rest. After block "
        "{block}, this is not possible. Use --finetune full, or --finetune off to train the head only.",
        block=block,
    )

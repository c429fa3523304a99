"""A trained network as ONNX: for the engines that run frozen backbones, and for sealing."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import torch
from torch import Tensor, nn

from eyebright.backbones.graph import OPSET
from eyebright.backbones.torch.blocks import as_map, map_shape
from eyebright.errors import ModelError
from eyebright.runtime.atomic import write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyebright.backbones.card import BackboneCard
    from eyebright.backbones.torch.network import Network

# Raise it when the same network would be exported differently.
_FORMAT = 1
_LARGEST_BYTES = 2_000_000_000  # of one ONNX file


class ExportedBackbone:
    """A network as a :class:`~eyebright.backbones.backbone.Backbone`; each size is exported once.

    Args:
        network: whose body is exported, in inference mode.
        cache_folder: where the graphs are kept, by the weights' hash; None keeps none.
    """

    def __init__(self, network: Network, cache_folder: Path | None) -> None:
        self.network = network
        self.cache_folder = cache_folder

    @property
    def card(self) -> BackboneCard:
        """Return the network's card."""
        return self.network.card

    def model(self, size: int) -> onnx.ModelProto:
        """Return network for inputs of ``size`` pixels a side: the card's layers, `final` as (B, D, 1, 1)."""
        names = [layer.name for layer in self.card.layers]

        def export() -> onnx.ModelProto:
            maps = _Maps(self.network.body, names, size).eval()
            return to_onnx(maps, torch.zeros(2, 3, size, size), "pixels", names)

        return kept_export(self.cache_folder, f"{self.card.sha} {size} {' '.join(names)}", export)


def kept_export(folder: Path | None, key: str, export: Callable[[], onnx.ModelProto]) -> onnx.ModelProto:
    """Return an exported network: from the cache, or exported now and kept there.

    Args:
        folder: of the cache; None keeps none.
        key: says what is exported: the weights' hash, and which part for which inputs.
        export: makes it.
    """
    name = hashlib.blake2b(f"{_FORMAT} {torch.__version__} {key}".encode(), digest_size=16).hexdigest()
    path = None if folder is None else folder / f"{name}.onnx"
    if path and path.is_file():
        try:
            os.utime(path)  # the cache gives up first what was used longest ago
            return onnx.load(path)
        except Exception:  # protobuf's own error class differs between its versions
            path.unlink(missing_ok=True)
    model = export()
    if path:
        write_bytes(path, model.SerializeToString())
    return model


class _Maps(nn.Module):
    """The maps of some blocks, in their order, and the pooled features last."""

    def __init__(self, body: nn.Module, names: Sequence[str], size: int) -> None:
        super().__init__()
        self.body = body
        self.names = names[:-1]
        self.size = size

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        outputs: dict[str, object] = {}

        def keep(name: str) -> torch.utils.hooks.RemovableHandle:
            def hook(_module: nn.Module, _inputs: object, output: object) -> None:
                outputs[name] = output

            return self.body.get_submodule(name).register_forward_hook(hook)

        handles = [keep(name) for name in self.names]
        try:
            features = self.body(pixels)
        finally:
            for handle in handles:
                handle.remove()
        shapes = {name: map_shape(self.body, outputs[name]) for name in self.names}
        maps = [as_map(outputs[name], shape) for name, shape in shapes.items() if shape is not None]
        return (*maps, features[:, :, None, None])


def to_onnx(
    module: nn.Module, example: Tensor, input_name: str, output_names: Sequence[str], name: str = "net"
) -> onnx.ModelProto:
    """Return a module of one input as ONNX; see :func:`export_to_onnx`."""
    return export_to_onnx(module, (example,), (input_name,), output_names, name)


def export_to_onnx(
    module: nn.Module,
    examples: Sequence[Tensor],
    input_names: Sequence[str],
    output_names: Sequence[str],
    name: str = "net",
) -> onnx.ModelProto:
    """Return a module as ONNX; the batch size stays free.

    Args:
        module: in inference mode; its output is a tensor or a tuple of them.
        examples: of its inputs, each (B, ...), with one B of at least 2.
        input_names: of the graph's inputs.
        output_names: of its outputs.
        name: put before the names of all other values, so that they cannot meet those of a graph around it.

    Raises:
        ModelError: the architecture cannot be exported.
    """
    size_bytes = sum(t.numel() * t.element_size() for t in module.state_dict().values())
    if size_bytes > _LARGEST_BYTES:
        raise ModelError(
            "An ONNX file can hold at most 2 GB. The backbone has {size_gb} GB. Choose a smaller one.",
            size_gb=f"{size_bytes / 1e9:.1f}",
        )
    batch = torch.export.Dim("batch")
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                tuple(examples),
                dynamo=True,
                input_names=list(input_names),
                output_names=list(output_names),
                dynamic_shapes=tuple({0: batch} for _ in examples),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # the exporter and what it calls raise whatever they like
        raise _unexportable(str(error).strip().splitlines()[0]) from error
    finally:
        exporter.setLevel(level)
    if program is None:  # as the older exporter does
        raise _unexportable("no program")
    return _checked(program.model_proto, name)


def _checked(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    foreign = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    if opsets.get("", 0) != OPSET or foreign or model.functions:
        raise _unexportable(f"opset {opsets}")
    del model.metadata_props[:]
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    return onnx.compose.add_prefix(model, f"{name}/", rename_inputs=False, rename_outputs=False)


def _unexportable(reason: str) -> ModelError:
    return ModelError(
        "The backbone must be exportable to ONNX. PyTorch could not export it: {reason}. Choose another "
        "backbone.",
        reason=reason,
    )

"""Grad-CAM by captum, on the sealed file read back into PyTorch: for models without an exact map."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from captum.attr import LayerGradCam
from torch import fx, nn

from eyebright.data.decode import to_square
from eyebright.explaining.base import Method, NoHeatMapError
from eyebright.explaining.places import Places, last_places, one_image_graph
from eyebright.onnx_torch.module import to_module
from eyebright.onnx_torch.reader import UnreadableError
from eyebright.types import FloatArray, Interpolation, UInt8Array


class GradCam:
    """Weight each channel of the last map by the mean gradient of the class's logit.

    Values below 0 are kept: they count against the class.

    Args:
        sealed: the sealed graph.
        size: S.
        interpolation: of the resize to S × S.

    Raises:
        NoHeatMapError: PyTorch lacks an operator of the model, or the model has no map.
    """

    method: Method = "gradcam"
    signed = True
    of_class = True
    full = None
    placeless = 0.0

    def __init__(self, sealed: onnx.ModelProto, size: int, interpolation: Interpolation) -> None:
        self._size, self._interpolation = size, interpolation
        graph = one_image_graph(sealed, size)
        try:
            module = to_module(graph, batch=1)
        except UnreadableError as error:
            raise NoHeatMapError(
                "Grad-CAM needs a counterpart in PyTorch for every operator of the network. {part} "
                "has none. Explain the model that this one was made from.",
                part=error.operator,
            ) from error
        self._places, layer = _watched(graph, module)
        self._cam = LayerGradCam(module, layer)

    def heat(self, image: UInt8Array, number: int) -> FloatArray:
        """Return the map (h, h) of the backbone's last places, in nats up to a factor."""
        square = to_square(image, self._size, interpolation=self._interpolation)
        pixels = torch.from_numpy(np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32))
        with torch.enable_grad():
            found = self._cam.attribute(pixels.requires_grad_(), target=number, relu_attributions=False)
        places = self._places
        row: FloatArray = found.detach().numpy().reshape(-1)[places.prefix :]
        return row.reshape(places.side, places.side)


def _watched(graph: onnx.ModelProto, module: fx.GraphModule) -> tuple[Places, nn.Module]:
    """Return the last places, and a layer put into ``module`` that sees them with their channels second."""
    nodes = {name: node for node in module.graph.nodes for name in node.meta.get("values", ())}
    places = next((p for p in last_places(graph) if p.value in nodes), None)
    if places is None:
        raise NoHeatMapError(
            "A heat map needs a network with a spatial feature map. This one has none. Choose "
            "another backbone."
        )
    node, graph_of = nodes[places.value], module.graph
    module.add_module("watched", nn.Identity())
    # captum takes the mean over all dimensions behind the second, which must be the channels'.
    channels = 1 if places.order == "nchw" else -1
    with graph_of.inserting_after(node):
        moved = graph_of.call_function(torch.movedim, (node, channels, 1))
    with graph_of.inserting_after(moved):
        watched = graph_of.call_module("watched", (moved,))
    with graph_of.inserting_after(watched):
        last = graph_of.call_function(torch.movedim, (watched, 1, channels))
    node.replace_all_uses_with(last, delete_user_cb=lambda user: user is not moved)
    module.recompile()
    return places, module.get_submodule("watched")

"""A trained body under timm's own names, whose batch norms may have been folded away.

The folded weights stay where they are. Each batch norm comes back as one that only adds the shift: its scale
is 1, its mean 0, and its variance such that it divides by 1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from eyebright.backbones import catalog
from eyebright.backbones.stored import read_card, stored_folder
from eyebright.backbones.zoo.lite import ARCHITECTURES
from eyebright.backbones.zoo.timm import architecture
from eyebright.training.finetune.model.fold_batchnorm import called_in_pairs, same_outputs

if TYPE_CHECKING:
    from eyebright.backbones.torch.network import Network


def timm_weights(network: Network, backbone: str) -> bytes | None:
    """Return the body's tensors as safetensors whose names are those of timm's `create_model`.

    The metadata have the architecture's name, the options of `create_model`, and how pixels are normalised.

    Args:
        network: on the CPU, in evaluation mode, as it was trained.
        backbone: its name, as `--backbone` takes it.

    Returns:
        The file; None where timm has no such architecture, or would compute something else.
    """
    name = _name(backbone)
    if name is None:
        return None
    size = network.card.preprocessing.size
    template = catalog.load(f"timm:{name}", "none", network.fixed_size).body.eval()
    noise = torch.randn((1, 3, size, size), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = _renamed(network.body, template, noise)
        try:
            template.load_state_dict(found)
        except RuntimeError:  # tensors are missing, or have other shapes
            return None
        if not same_outputs(template(noise), network.body(noise)):
            return None
    seen = network.card.preprocessing
    options = {"num_classes": 0} | ({} if network.fixed_size is None else {"img_size": network.fixed_size})
    about = {"options": options, "size": size, "mean": seen.mean, "std": seen.std}
    texts = {key: json.dumps(value) for key, value in about.items()}
    return save(found, {"architecture": name, **texts, "format": "pt"})


def _name(backbone: str) -> str | None:
    """Return timm's name of an architecture; None of one of another source."""
    if backbone.partition(":")[0] in ("own", "pruned"):
        return None
    if (folder := stored_folder(backbone)) is not None:
        backbone = read_card(folder).architecture
    source, own = catalog.find(backbone)
    if source.name == "embedded":
        return ARCHITECTURES[own]
    return architecture(own) if source.name == "timm" else None


def _renamed(body: nn.Module, template: nn.Module, noise: Tensor) -> dict[str, Tensor]:
    """Return the tensors of the body that the template has, with norms for those that were folded away."""
    trained, wanted = body.state_dict(), template.state_dict()
    found = {name: trained[name].detach().clone().contiguous() for name in wanted if name in trained}
    for pair in called_in_pairs(template, noise):
        norm = template.get_submodule(pair.norm)
        if isinstance(norm, _BatchNorm) and f"{pair.norm}.weight" not in trained:
            found |= _shift(norm, pair.norm, pair.conv, trained, wanted)
    return found


def _shift(
    norm: Any, name: str, conv: str, trained: dict[str, Tensor], wanted: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Return the tensors of a batch norm that adds the shift which folding has put into the convolution."""
    ones = torch.ones_like(norm.running_var)
    bias = trained.get(f"{conv}.bias")
    beside = bias is None or f"{conv}.bias" in wanted
    return {
        f"{name}.weight": ones.clone(),
        f"{name}.bias": torch.zeros_like(ones) if beside or bias is None else bias.detach().clone(),
        f"{name}.running_mean": torch.zeros_like(ones),
        f"{name}.running_var": ones - norm.eps,
        f"{name}.num_batches_tracked": torch.zeros((), dtype=torch.int64),
    }

"""LoRA: small adapters learn beside the linear layers of a transformer, which itself stays as it is."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from eyebright.errors import ConfigError


def add_adapters(
    body: nn.Module, rank: int, example: Tensor, name: str, alpha: int | None = None
) -> tuple[str, ...]:
    """Put adapters beside all linear layers inside ``body``, in place, and freeze all else of it.

    Outputs stay what they are until the adapters learn. Attention that torch computes without calling its
    linear layers (torchvision's) gets none; its MLPs do.

    Args:
        body: a backbone; its parameters get new names (``…base_layer.weight``, ``…lora_A.default.weight``).
        rank: of the adapters.
        example: an input (1, 3, S, S).
        name: of the backbone, for the error.
        alpha: weight of the adapters times ``rank``; None for twice the rank.

    Returns:
        Names of the layers that have adapters now.

    Raises:
        ConfigError: there is no such layer.
    """
    from peft import LoraConfig, inject_adapter_in_model

    names = _linears_inside(body, example)
    if not names:
        raise ConfigError(
            "LoRA needs a transformer, with linear layers that process every token of an image. "
            "{name} has none. Omit --lora; --finetune last also trains few weights.",
            name=name,
        )
    layers = "|".join(re.escape(layer) for layer in names)
    config = LoraConfig(r=rank, lora_alpha=2 * rank if alpha is None else alpha, target_modules=layers)
    inject_adapter_in_model(config, body)
    return names


def merge_adapters(body: nn.Module) -> None:
    """Add the adapters to the layers that they stand beside, and remove them: a plain network again."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(body.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, own = name.rpartition(".")
            setattr(body.get_submodule(parent), own, module.get_base_layer())


def _linears_inside(body: nn.Module, example: Tensor) -> tuple[str, ...]:
    """Return the linear layers called with several vectors an image; others see pooled features."""
    found: list[str] = []

    def watch(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if inputs[0].ndim > 2 and name not in found:
                found.append(name)

        return layer.register_forward_pre_hook(hook)

    handles = [watch(name, layer) for name, layer in body.named_modules() if isinstance(layer, nn.Linear)]
    try:
        with torch.no_grad():
            body(example)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(found)

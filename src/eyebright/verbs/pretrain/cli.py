"""Declare `eyebright pretrain`: images without labels adapt a backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyebright.verbs.verb import Verb, print_result

if TYPE_CHECKING:
    from eyebright.verbs.pretrain.options import PretrainConfig
    from eyebright.verbs.pretrain.result import PretrainedBackbone


def _show(result: PretrainedBackbone, config: PretrainConfig) -> int:
    """Print the result, once for all processes of a distributed training."""
    from eyebright.runtime.processes import is_main

    return print_result(result, config) if is_main() else 0


VERB = Verb(
    name="pretrain",
    summary="Adapt a backbone to your images without labels (self-supervised: SimCLR, VICReg, Barlow Twins).",
    show=_show,
    file=True,
    estimate="probe",
)

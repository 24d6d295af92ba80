"""What a training step of a network costs, worked out without running it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..networks.contract import Network


@dataclass(frozen=True)
class Footprint:
    """Parameters, memory in bytes and floating point operations of one training step."""

    parameters: int
    memory: int
    operations: int


def footprint(network: Network, image_shape: Sequence[int], half_precision: bool = False) -> Footprint:
    """Estimate a training step with Adam from shapes alone, on the meta device.

    Memory is weights, gradients and two moments in float32, and the output of each convolution, norm and pooling layer
    kept for the backward pass, twice for the largest gradients in flight; operations are three times those of the
    forward pass.

    Args:
        network: is copied, not changed.
        image_shape: ``(B, C, *spatial)``.
        half_precision: whether activations take 2 bytes instead of 4.
    """
    shadow = copy.deepcopy(network).to("meta")
    sizes: list[int] = []
    for _, module in shadow.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _, __, output: sizes.append(output.numel()))
    with FlopCounterMode(display=False) as counter:
        shadow(torch.empty(tuple(image_shape), device="meta"))
    parameters = sum(parameter.numel() for parameter in shadow.parameters())
    activations = (sum(sizes) + 2 * max(sizes)) * (2 if half_precision else 4)
    return Footprint(parameters, 16 * parameters + activations, 3 * counter.get_total_flops())

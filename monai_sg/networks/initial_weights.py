"""Initial weights that depend on a seed and on the part of a network alone."""

from __future__ import annotations

import torch

from ..utils.seeds import seed_for
from .contract import Network, in_parts


def draw_initial_weights(network: Network, seed: int) -> None:
    """Draw the weights of a network on the CPU anew, those of each part from a generator of its own.

    Two networks with the same encoder get the same encoder, whatever their decoders and heads. Each module initialises
    itself by ``reset_parameters``, as those of PyTorch do; inner modules come before outer ones. The global generator
    stays as it is.

    Args:
        network: is changed in place.
        seed: of the run.
    """
    modules = list(network.named_modules())[::-1]
    for part in network.parts:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed_for(seed, "initial weights", part))
            for name, module in modules:
                if in_parts(network, name, part) and hasattr(module, "reset_parameters"):
                    module.reset_parameters()  # type: ignore[operator]

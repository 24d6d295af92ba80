"""What a pre-training method is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from ..networks.contract import Network

Batch = Mapping[str, torch.Tensor]
Params = dict[str, torch.Tensor]


class PretrainingMethod(nn.Module, ABC):
    """A network with its heads, and the loss they are trained by.

    `sample` draws all random numbers of a step, outside the graph; `forward` has none, no branch on data and no
    synchronisation, so that it compiles whole and runs under distributed training. Every parameter gets a gradient in
    every step, or is frozen when the method is made.

    Args:
        network: what is kept after pre-training.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    @abstractmethod
    def sample(self, batch: Batch, generator: torch.Generator) -> Params:
        """Draw the random numbers of one step on the generator's device."""

    @abstractmethod
    def forward(self, batch: Batch, params: Params) -> dict[str, torch.Tensor]:
        """Return ``loss`` (a scalar with a gradient) and its parts, one value per crop ``(B,)``, without gradient."""

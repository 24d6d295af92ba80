"""What a pre-training method is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

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
    def sample(self, batch: Batch, generator: torch.Generator, shared: torch.Generator) -> Params:
        """Draw the random numbers of one step on the device of the generators.

        Args:
            batch: what `forward` will be given.
            generator: another one on every rank.
            shared: the same on all ranks, for choices that have to agree, such as a scale that sets sizes.
        """

    @abstractmethod
    def forward(self, batch: Batch, params: Params) -> dict[str, Any]:
        """Return the loss of a batch, its parts, and pictures if there are any.

        Returns:
            ``loss``, a scalar with a gradient; ``size``, the number of items that it is the mean of; parts without
            gradient, one value per item ``(size,)``; and, where there is something to see, the pictures ``corrupted``
            and ``restored`` ``(size, C, *spatial)``.
        """

    def forward_clean(self, batch: Batch) -> None:
        """Run the network on images as fine-tuning will give them, so that its batch norm can see them.

        Args:
            batch: as for `forward`; here its entry ``image``. A method with other entries says what an image is.
        """
        self.network(batch["image"])

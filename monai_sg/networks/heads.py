"""Heads that are used during pre-training only."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Pool
from torch import nn

from .blocks import convolution


class PatternHead(nn.Module):
    """Classify the pseudo label of a crop from the encoder's deepest feature map.

    Convolution unit to twice the channels, global average pooling, linear layer. On the 512 channels of a `GenesisUNet`
    of width 32 with C = 44 it has 14,203,948 parameters. (Haghighi et al., Semantic Genesis, MICCAI 2020.)

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the feature map.
        num_classes: number of pseudo labels C.
        batch_statistics: whether evaluation normalises by the statistics of the batch too (`BatchStatisticsNorm`).
    """

    def __init__(self, spatial_dims: int, in_channels: int, num_classes: int, batch_statistics: bool = False) -> None:
        super().__init__()
        self.convolution = convolution(spatial_dims, in_channels, 2 * in_channels, batch_statistics)
        self.pool = Pool[Pool.ADAPTIVEAVG, spatial_dims](1)
        self.linear = nn.Linear(2 * in_channels, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, num_classes)`` of the feature map ``x`` ``(B, C, *spatial)``."""
        return self.linear(self.pool(self.convolution(x)).flatten(1))

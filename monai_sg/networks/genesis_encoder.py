"""The encoder of Models Genesis, Semantic Genesis and PCRLv2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from .blocks import DoubleConvolution
from .description import target_of
from .names import GENESIS, Rules


class GenesisEncoder(nn.ModuleList):
    """Four stages of two convolution units, with max pooling by 2 before all but the first.

    Each stage doubles the channels in its second convolution: with ``w`` = ``width`` the maps have
    ``2w, 4w, 8w, 16w`` channels at scales 1, 1/2, 1/4, 1/8 (Models Genesis, MedIA 2021; PCRLv2, TPAMI 2023).

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        width: channels of the first convolution; 32 is the published size, 8 has a sixteenth of the parameters.
        batch_statistics: whether evaluation normalises by the statistics of the batch too (`BatchStatisticsNorm`).
    """

    stem_key = "0.0.conv"
    size_divisor = 8
    renamings: ClassVar[Mapping[str, Rules]] = {"Models Genesis or Semantic Genesis in PyTorch": GENESIS}

    def __init__(
        self, spatial_dims: int, in_channels: int = 1, width: int = 32, batch_statistics: bool = False
    ) -> None:
        channels = [width * factor for factor in (2, 4, 8, 16)]
        inputs, middles = [in_channels, *channels[:-1]], [width, *channels[:-1]]
        super().__init__(
            DoubleConvolution(spatial_dims, *stage, batch_statistics, pooled=index > 0)
            for index, stage in enumerate(zip(inputs, middles, channels, strict=True))
        )
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.width = width
        self.batch_statistics = batch_statistics
        self.channels = channels

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return maps ``(B, 2w * 2**i, *spatial / 2**i)`` for i = 0..3 of the image ``x`` ``(B, C, *spatial)``."""
        maps: list[torch.Tensor] = []
        for stage in self:
            x = stage(x)
            maps.append(x)
        return maps

    def describe(self) -> dict[str, Any]:
        """Return class and arguments."""
        names = ("spatial_dims", "in_channels", "width", "batch_statistics")
        return {"_target_": target_of(self), **{name: getattr(self, name) for name in names}}

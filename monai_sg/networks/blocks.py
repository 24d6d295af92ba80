"""Blocks of which the networks with and without skip connections are made."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers.factories import Conv
from torch import nn

from .batch_statistics import BatchStatisticsNorm


def convolution(spatial_dims: int, in_channels: int, out_channels: int, batch_statistics: bool = False) -> Convolution:
    """Make convolution (kernel 3, bias), batch norm, ReLU: the unit of all our networks."""
    unit = Convolution(
        spatial_dims, in_channels, out_channels, adn_ordering="NA", norm="batch", act=("relu", {"inplace": True})
    )
    if batch_statistics:
        unit.get_submodule("adn").add_module("N", BatchStatisticsNorm(out_channels))  # MONAI's factory takes names only
    return unit


class DoubleConvolution(nn.Sequential):
    """Two convolution units; the channels change in each: ``in -> middle -> out``."""

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        middle_channels: int,
        out_channels: int,
        batch_statistics: bool = False,
    ) -> None:
        super().__init__(
            convolution(spatial_dims, in_channels, middle_channels, batch_statistics),
            convolution(spatial_dims, middle_channels, out_channels, batch_statistics),
        )


class UpStage(nn.Module):
    """Transposed convolution by 2, concatenation ``[up, skip]`` if there is a skip, then two convolution units."""

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        batch_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.with_skip = skip_channels > 0
        self.up = Conv[Conv.CONVTRANS, spatial_dims](in_channels, in_channels, kernel_size=2, stride=2)
        channels = (in_channels + skip_channels, out_channels, out_channels)
        self.convolutions = DoubleConvolution(spatial_dims, *channels, batch_statistics)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Return features at twice the resolution of ``x``; ``skip`` is ignored by a network without skips."""
        x = self.up(x)
        if self.with_skip:
            x = torch.cat([x, skip], dim=1)
        return self.convolutions(x)

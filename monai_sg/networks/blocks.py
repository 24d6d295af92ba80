"""Blocks of which the networks with and without skip connections are made."""

from __future__ import annotations

from collections import OrderedDict

import torch
from monai.networks.blocks import Convolution
from monai.networks.layers.factories import Pool
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
    """Max pooling by 2 if ``pooled``, then two units; the channels change in each: ``in -> middle -> out``."""

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        middle_channels: int,
        out_channels: int,
        batch_statistics: bool = False,
        pooled: bool = False,
    ) -> None:
        pool: dict[str, nn.Module] = {"pool": Pool[Pool.MAX, spatial_dims](kernel_size=2)} if pooled else {}
        units = {
            "0": convolution(spatial_dims, in_channels, middle_channels, batch_statistics),
            "1": convolution(spatial_dims, middle_channels, out_channels, batch_statistics),
        }
        super().__init__(OrderedDict(pool | units))


class UpStage(nn.Module):
    """Up-sampling by 2, concatenation ``[up, skip]`` if there is a skip, then convolutions."""

    def __init__(self, up: nn.Module, convolutions: nn.Module) -> None:
        super().__init__()
        self.up = up
        self.convolutions = convolutions

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        """Return features at twice the resolution of ``x``."""
        x = self.up(x)
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
        return self.convolutions(x)

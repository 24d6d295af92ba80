"""The network of Semantic Genesis as its description says, in plain float32 PyTorch, written for comparison."""

from __future__ import annotations

import torch
from torch import nn


def unit(in_channels: int, out_channels: int) -> nn.Sequential:
    """Make convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv3d(in_channels, out_channels, 3, padding=1), nn.BatchNorm3d(out_channels), nn.ReLU(inplace=True)
    )


def level(in_channels: int, middle: int, out_channels: int) -> nn.Sequential:
    """Make the two units of a level."""
    return nn.Sequential(unit(in_channels, middle), unit(middle, out_channels))


class ReferenceNetwork(nn.Module):
    """U-Net with a sigmoid and a head that classifies its deepest features; 33,277,613 parameters at width 32.

    Args:
        width: channels of the first convolution.
        num_classes: number of pseudo labels C.
    """

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        w = width
        self.down = nn.ModuleList(
            [level(1, w, 2 * w), level(2 * w, 2 * w, 4 * w), level(4 * w, 4 * w, 8 * w), level(8 * w, 8 * w, 16 * w)]
        )
        self.pool = nn.MaxPool3d(2)
        self.grow = nn.ModuleList(nn.ConvTranspose3d(n, n, 2, stride=2) for n in (16 * w, 8 * w, 4 * w))
        self.up = nn.ModuleList([level(24 * w, 8 * w, 8 * w), level(12 * w, 4 * w, 4 * w), level(6 * w, 2 * w, 2 * w)])
        self.out = nn.Conv3d(2 * w, 1, 1)
        self.head = nn.Sequential(unit(16 * w, 32 * w), nn.AdaptiveAvgPool3d(1), nn.Flatten())
        self.classifier = nn.Linear(32 * w, num_classes)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the restored crops ``(B, 1, *spatial)`` and the logits ``(B, C)``."""
        features = [self.down[0](x)]
        for stage in list(self.down)[1:]:
            features.append(stage(self.pool(features[-1])))
        x = features[3]
        for grow, stage, skip in zip(self.grow, self.up, features[2::-1], strict=True):
            x = stage(torch.cat([grow(x), skip], dim=1))
        return torch.sigmoid(self.out(x)), self.classifier(self.head(features[3]))

"""An encoder with a linear layer: classes of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from .contract import Encoder
from .description import target_of


class Classifier(nn.Module):
    """Global average of the deepest map of an encoder, and one linear layer.

    The encoder's tensors have the names that they have in the U-Nets, whose pre-trained encoders therefore fit.

    Args:
        encoder: such as `GenesisEncoder` or `ResNetEncoder`, 2D or 3D.
        num_classes: number of logits.

    Example:
        >>> import torch
        >>> from monai_sg.networks.genesis_encoder import GenesisEncoder
        >>> Classifier(GenesisEncoder(spatial_dims=2, width=4), num_classes=14)(torch.rand(3, 1, 16, 16)).shape
        torch.Size([3, 14])
    """

    parts: ClassVar[Mapping[str, tuple[str, ...]]] = {name: (name,) for name in ("encoder", "head")}

    def __init__(self, encoder: Encoder, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.channels[-1], num_classes)
        self.num_classes = num_classes
        self.spatial_dims = encoder.spatial_dims
        self.in_channels = encoder.in_channels
        self.size_divisor = encoder.size_divisor
        self.stem_key = f"encoder.{encoder.stem_key}"
        self.encoder_channels = encoder.channels

    def forward_features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the encoder's feature maps of an image ``(B, C, *spatial)``, shallow to deep."""
        return self.encoder(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, num_classes)`` of the image ``x`` ``(B, C, *spatial)``."""
        return self.head(self.forward_features(x)[-1].flatten(2).mean(-1))

    def describe(self) -> dict[str, Any]:
        """Return class and arguments."""
        return {"_target_": target_of(self), "encoder": self.encoder.describe(), "num_classes": self.num_classes}

"""Encoder, decoder and head: what the networks that answer every voxel share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from monai.networks.layers.factories import Conv
from torch import nn

from .contract import Encoder, check_sizes
from .description import target_of


class DenseNetwork(nn.Module):
    """A network of an encoder, a decoder that doubles the resolution in each stage, and a 1x1 head.

    Args:
        encoder: gives maps at halving scales.
        decoder: stages, each called with the map below and, if ``skips``, the encoder's map of the scale it makes;
            with None where there is none.
        decoder_channels: channels that the stages return, deep to shallow.
        out_channels: channels of the output, which are logits.
        skips: whether the decoder sees more of the encoder than its deepest map.
    """

    parts: ClassVar[Mapping[str, tuple[str, ...]]] = {name: (name,) for name in ("encoder", "decoder", "head")}

    def __init__(
        self,
        encoder: Encoder,
        decoder: Iterable[nn.Module],
        decoder_channels: list[int],
        out_channels: int,
        skips: bool,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = nn.ModuleList(decoder)
        self.head = Conv[Conv.CONV, encoder.spatial_dims](decoder_channels[-1], out_channels, kernel_size=1)
        self.skips = skips
        self.out_channels = out_channels
        self.spatial_dims = encoder.spatial_dims
        self.in_channels = encoder.in_channels
        self.size_divisor = encoder.size_divisor
        self.stem_key = f"encoder.{encoder.stem_key}"
        self.encoder_channels = encoder.channels
        self.decoder_channels = decoder_channels

    def forward_features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the encoder's feature maps, shallow to deep; the last is the bottleneck.

        Args:
            x: image ``(B, C, *spatial)``, each spatial size a multiple of ``size_divisor``.

        Raises:
            ValueError: a spatial size is not.
        """
        check_sizes(x, self.size_divisor)
        return self.encoder(x)

    def forward_decoder(self, features: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the decoder's feature maps, deep to shallow; the last has the size of the image."""
        x = features[-1]
        maps: list[torch.Tensor] = []
        for index, stage in enumerate(self.decoder):
            skip: torch.Tensor | None = None
            if self.skips and index + 2 <= len(features):
                skip = features[-2 - index]
            x = stage(x, skip)
            maps.append(x)
        return maps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, out_channels, *spatial)`` of the image ``x`` ``(B, C, *spatial)``."""
        return self.head(self.forward_decoder(self.forward_features(x))[-1])

    def describe(self) -> dict[str, Any]:
        """Return class and arguments: those of the encoder and ``out_channels``."""
        return {**self.encoder.describe(), "_target_": target_of(self), "out_channels": self.out_channels}

"""The encoder-decoder that the networks with and without skip connections share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from monai.networks.layers.factories import Conv, Pool
from torch import nn

from .blocks import DoubleConvolution, UpStage
from .names import METHOD, Rules


class EncoderDecoder(nn.Module):
    """Four encoder stages, three decoder stages and a 1x1 head, for 2D and 3D.

    Each stage doubles the channels in its second convolution: with ``w`` = ``width`` the encoder has
    ``2w, 4w, 8w, 16w`` channels at scales 1, 1/2, 1/4, 1/8 (Models Genesis, MedIA 2021; PCRLv2, TPAMI 2023).

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the output, which are logits.
        width: channels of the first convolution.
        skips: whether encoder features are concatenated to the decoder's.
        batch_statistics: whether evaluation normalises by the statistics of the batch too (`BatchStatisticsNorm`).
    """

    encoder_key = "encoder"
    stem_key = "encoder.0.0.conv"
    decoder_key = "decoder"
    head_key = "head"
    size_divisor = 8
    renamings: ClassVar[Mapping[str, Rules]] = {"a pre-training method": METHOD}

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        width: int,
        skips: bool,
        batch_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.skips = skips
        self.batch_statistics = batch_statistics
        stages = [width * factor for factor in (2, 4, 8, 16)]
        self.encoder_channels = stages
        self.decoder_channels = stages[2::-1]
        inputs, middles = [in_channels, *stages[:-1]], [width, *stages[:-1]]
        self.encoder = nn.ModuleList(
            DoubleConvolution(spatial_dims, *channels, batch_statistics)
            for channels in zip(inputs, middles, stages, strict=True)
        )
        self.pool = Pool[Pool.MAX, spatial_dims](kernel_size=2)
        self.decoder = nn.ModuleList(
            UpStage(spatial_dims, deep, shallow if skips else 0, shallow, batch_statistics)
            for deep, shallow in zip(stages[:0:-1], stages[2::-1], strict=True)
        )
        self.head = Conv[Conv.CONV, spatial_dims](stages[0], out_channels, kernel_size=1)

    def forward_features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the encoder's four feature maps, shallow to deep.

        Args:
            x: image ``(B, C, *spatial)``, each spatial size a multiple of 8.

        Returns:
            maps ``(B, 2w * 2**i, *spatial / 2**i)`` for i = 0..3; the last is the bottleneck.

        Raises:
            ValueError: a spatial size is not a multiple of 8.
        """
        for size in x.shape[2:]:
            if size % 8 != 0:
                raise ValueError(f"Each spatial size must be a multiple of 8, got {x.shape}; crop or pad the image.")
        features: list[torch.Tensor] = []
        for index, stage in enumerate(self.encoder):
            if index > 0:
                x = self.pool(x)
            x = stage(x)
            features.append(x)
        return features

    def forward_decoder(self, features: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the decoder's three feature maps, deep to shallow, at scales 1/4, 1/2 and 1."""
        x = features[3]
        maps: list[torch.Tensor] = []
        for index, stage in enumerate(self.decoder):
            x = stage(x, features[2 - index])
            maps.append(x)
        return maps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, out_channels, *spatial)`` of the image ``x`` ``(B, C, *spatial)``."""
        return self.head(self.forward_decoder(self.forward_features(x))[2])

"""The encoder-decoder of Models Genesis with or without skip connections."""

from __future__ import annotations

from typing import Any

from .dense_network import DenseNetwork
from .genesis_encoder import GenesisEncoder
from .genesis_unet import genesis_decoder


class EncoderDecoder(DenseNetwork):
    """`GenesisUNet` or `NonSkipUNet`, by an argument.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the output, which are logits.
        width: channels of the first convolution.
        skips: whether encoder features are concatenated to the decoder's.
        batch_statistics: whether evaluation normalises by the statistics of the batch too (`BatchStatisticsNorm`).
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        width: int,
        skips: bool,
        batch_statistics: bool = False,
    ) -> None:
        encoder = GenesisEncoder(spatial_dims, in_channels, width, batch_statistics)
        super().__init__(encoder, genesis_decoder(encoder, skips), encoder.channels[2::-1], out_channels, skips)

    def describe(self) -> dict[str, Any]:
        """Return class and arguments."""
        return {**super().describe(), "skips": self.skips}

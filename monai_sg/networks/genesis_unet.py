"""The U-Net of Models Genesis and Semantic Genesis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .encoder_decoder import EncoderDecoder
from .names import GENESIS, Rules


class GenesisUNet(EncoderDecoder):
    """U-Net whose encoder and decoder are the ones Models Genesis and Semantic Genesis pre-train.

    With ``width=32``, one input and one output channel and three dimensions it has 19,073,665 parameters, 7,027,776 of
    them in the encoder. The released networks end in a sigmoid; this one returns logits, and whoever needs a
    probability or an intensity in [0, 1] applies the sigmoid. By default batch norm is the usual one: batch statistics
    while training, running statistics in evaluation. (Zhou et al., Models Genesis, MedIA 2021; Haghighi et al.,
    Semantic Genesis, MICCAI 2020.)

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the output.
        width: channels of the first convolution; 32 is the published size, 8 has a sixteenth of the parameters.
        batch_statistics: whether evaluation normalises by the statistics of the batch too (`BatchStatisticsNorm`).

    Example:
        >>> import torch
        >>> GenesisUNet(spatial_dims=3, width=4)(torch.rand(1, 1, 16, 16, 8)).shape
        torch.Size([1, 1, 16, 16, 8])
    """

    renamings: ClassVar[Mapping[str, Rules]] = {
        **EncoderDecoder.renamings,
        "Models Genesis or Semantic Genesis in PyTorch": GENESIS,
    }

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int = 1,
        out_channels: int = 1,
        width: int = 32,
        batch_statistics: bool = False,
    ) -> None:
        super().__init__(spatial_dims, in_channels, out_channels, width, skips=True, batch_statistics=batch_statistics)

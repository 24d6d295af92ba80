"""The U-Net of Models Genesis and Semantic Genesis."""

from __future__ import annotations

from monai.networks.layers.factories import Conv

from .blocks import DoubleConvolution, UpStage
from .dense_network import DenseNetwork
from .genesis_encoder import GenesisEncoder


class GenesisUNet(DenseNetwork):
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
        width: channels of the first convolution, see `GenesisEncoder`.
        batch_statistics: whether evaluation normalises by the statistics of the batch too (`BatchStatisticsNorm`).

    Example:
        >>> import torch
        >>> GenesisUNet(spatial_dims=3, width=4)(torch.rand(1, 1, 16, 16, 8)).shape
        torch.Size([1, 1, 16, 16, 8])
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int = 1,
        out_channels: int = 1,
        width: int = 32,
        batch_statistics: bool = False,
    ) -> None:
        encoder = GenesisEncoder(spatial_dims, in_channels, width, batch_statistics)
        stages = genesis_decoder(encoder, skips=True)
        super().__init__(encoder, stages, encoder.channels[2::-1], out_channels, skips=True)


def genesis_decoder(encoder: GenesisEncoder, skips: bool) -> list[UpStage]:
    """Make the three stages that lead from the deepest map of an encoder back to the size of the image."""
    dims, stages = encoder.spatial_dims, []
    for deep, shallow in zip(encoder.channels[:0:-1], encoder.channels[2::-1], strict=True):
        up = Conv[Conv.CONVTRANS, dims](deep, deep, kernel_size=2, stride=2)
        seen = deep + shallow if skips else deep
        stages.append(UpStage(up, DoubleConvolution(dims, seen, shallow, shallow, encoder.batch_statistics)))
    return stages

"""The U-Net without skip connections (nsU-Net)."""

from __future__ import annotations

from .dense_network import DenseNetwork
from .genesis_encoder import GenesisEncoder
from .genesis_unet import genesis_decoder


class NonSkipUNet(DenseNetwork):
    """U-Net without skip connections: nothing passes around the bottleneck, which must describe the image.

    It is the auto-encoder of pattern discovery and the nsU-Net of PCRLv2, whose pyramid is what `forward_decoder`
    returns. With ``width=32``, one input and one output channel and three dimensions it has 16,751,233 parameters; the
    encoder is that of `GenesisUNet`. Returns logits. (Zhou et al., PCRLv2, TPAMI 2023.)

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the output.
        width: channels of the first convolution.
        batch_statistics: whether evaluation normalises by the statistics of the batch too (`BatchStatisticsNorm`).

    Example:
        >>> import torch
        >>> NonSkipUNet(spatial_dims=2, width=4)(torch.rand(1, 1, 16, 16)).shape
        torch.Size([1, 1, 16, 16])
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
        stages = genesis_decoder(encoder, skips=False)
        super().__init__(encoder, stages, encoder.channels[2::-1], out_channels, skips=False)

"""The U-Net on a ResNet without skip connections."""

from __future__ import annotations

from .dense_network import DenseNetwork
from .resnet_encoder import ResNetEncoder
from .resnet_unet import DECODER_CHANNELS, resnet_decoder


class NonSkipResNetUNet(DenseNetwork):
    """`ResNetUNet` whose decoder sees the deepest map of the encoder only: the 2D nsU-Net of PCRLv2.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the output, which are logits.
        name: a ResNet of MONAI, see `ResNetEncoder`.

    Example:
        >>> import torch
        >>> NonSkipResNetUNet(spatial_dims=2)(torch.rand(2, 1, 64, 32)).shape
        torch.Size([2, 1, 64, 32])
    """

    def __init__(self, spatial_dims: int, in_channels: int = 1, out_channels: int = 1, name: str = "resnet18") -> None:
        encoder = ResNetEncoder(spatial_dims, in_channels, name)
        super().__init__(encoder, resnet_decoder(encoder, skips=False), DECODER_CHANNELS, out_channels, skips=False)

"""U-Nets on a ResNet."""

from __future__ import annotations

from monai.networks.blocks import UpSample
from monai.networks.nets.basic_unet import TwoConv

from .blocks import UpStage
from .dense_network import DenseNetwork
from .resnet_encoder import ResNetEncoder

DECODER_CHANNELS = [256, 128, 64, 32, 16]


class ResNetUNet(DenseNetwork):
    """U-Net on a `ResNetEncoder`: nearest-neighbour up-sampling, concatenation, two convolutions, five times.

    The last stage, which makes the size of the image, has no map of the encoder to look at. Returns
    logits.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: channels of the output.
        name: a ResNet of MONAI, see `ResNetEncoder`.

    Example:
        >>> import torch
        >>> ResNetUNet(spatial_dims=2)(torch.rand(2, 1, 64, 32)).shape
        torch.Size([2, 1, 64, 32])
    """

    def __init__(self, spatial_dims: int, in_channels: int = 1, out_channels: int = 1, name: str = "resnet18") -> None:
        encoder = ResNetEncoder(spatial_dims, in_channels, name)
        super().__init__(encoder, resnet_decoder(encoder, skips=True), DECODER_CHANNELS, out_channels, skips=True)


def resnet_decoder(encoder: ResNetEncoder, skips: bool) -> list[UpStage]:
    """Make the five stages that lead from the deepest map of an encoder back to the size of the image."""
    dims = encoder.spatial_dims
    inputs = [encoder.channels[-1], *DECODER_CHANNELS[:-1]]
    seen = [*encoder.channels[-2::-1], 0] if skips else [0] * len(inputs)
    return [
        UpStage(
            UpSample(dims, mode="nontrainable", pre_conv=None, interp_mode="nearest", align_corners=None),
            TwoConv(dims, deep + skip, shallow, act=("relu", {"inplace": True}), norm="batch", bias=False),
        )
        for deep, skip, shallow in zip(inputs, seen, DECODER_CHANNELS, strict=True)
    ]

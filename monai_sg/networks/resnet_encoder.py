"""ResNet as an encoder, in 2D and 3D."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from monai.networks.nets.resnet import ResNet, ResNetFeatures, get_inplanes, resnet_params
from torch import nn

from ..utils.errors import UserError
from .description import target_of
from .names import RESNET, Rules


class ResNetEncoder(ResNetFeatures):
    """MONAI's `ResNetFeatures` with the shortcuts of torchvision, whose weights fit it.

    Where the size changes, a shortcut is a 1x1 convolution without bias and batch norm, in ResNet-18 and 34 too;
    MONAI's own shortcuts there have no weights and let no gradient through. The maps have scales 1/2, 1/4, 1/8, 1/16
    and 1/32 and, in ResNet-18, 64, 64, 128, 256 and 512 channels. (He et al., CVPR 2016.)

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        name: a ResNet of MONAI, ``resnet10`` to ``resnet200``.

    Raises:
        UserError: ``name`` is unknown.
    """

    stem_key = "conv1"
    size_divisor = 32
    renamings: ClassVar[Mapping[str, Rules]] = {"a ResNet of torchvision or MedicalNet": RESNET}

    def __init__(self, spatial_dims: int, in_channels: int = 1, name: str = "resnet18") -> None:
        if name not in resnet_params:
            raise UserError(f"There is no network {name!r}; take one of {', '.join(resnet_params)}.")
        block, layers, *_ = resnet_params[name]
        # Not the constructor of `ResNetFeatures`, which chooses the shortcuts by the name.
        ResNet.__init__(
            self,
            block,
            layers,
            get_inplanes(),
            spatial_dims=spatial_dims,
            n_input_channels=in_channels,
            conv1_t_stride=2,
            feed_forward=False,
            bias_downsample=False,
        )
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.name = name
        expansion = 4 if block == "bottleneck" else 1
        self.channels = [get_inplanes()[0], *(expansion * planes for planes in get_inplanes())]

    def reset_parameters(self) -> None:
        """Draw the weights of the convolutions as He et al. do; `draw_initial_weights` has reset batch norm before."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def describe(self) -> dict[str, Any]:
        """Return class and arguments."""
        names = ("spatial_dims", "in_channels", "name")
        return {"_target_": target_of(self), **{name: getattr(self, name) for name in names}}

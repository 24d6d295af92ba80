"""What a network says of itself, so that weights, methods and handlers need not know its class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

from ..utils.errors import UserError

DECLARED = (
    "parts",
    "stem_key",
    "encoder_channels",
    "size_divisor",
    "spatial_dims",
    "in_channels",
    "forward_features",
    "describe",
)


class Encoder(Protocol):
    """A module that gives feature maps of an image, shallow to deep."""

    stem_key: str
    size_divisor: int
    spatial_dims: int
    in_channels: int
    channels: list[int]

    def __call__(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the feature maps of an image ``(B, C, *spatial)``."""

    def describe(self) -> dict[str, Any]:
        """Return class and arguments, see `Network.describe`."""


class Network(Protocol):
    """A `torch.nn.Module` that declares its parts.

    Attributes:
        parts: name of each part (``encoder``, ``decoder``, ``head``) to the modules that it consists of; together they
            hold every tensor of the state dict once.
        stem_key: the convolution that sees the image.
        size_divisor: what each spatial size must be a multiple of.
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        encoder_channels: channels of the maps that `forward_features` returns.
    """

    training: bool
    stem_key: str
    size_divisor: int
    spatial_dims: int
    in_channels: int
    encoder_channels: list[int]

    @property
    def parts(self) -> Mapping[str, Sequence[str]]:
        """Return names of parts and of their modules."""

    def forward_features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the encoder's feature maps of an image ``(B, C, *spatial)``, shallow to deep."""

    def describe(self) -> dict[str, Any]:
        """Return the class (``_target_``) and the arguments it was made with, as they stand in ``model.json``."""

    # What follows, every `torch.nn.Module` has.

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output of an image ``(B, C, *spatial)``."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return all parameters."""

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Return all parameters with their names."""

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """Return all modules with their names, outer ones first."""

    def state_dict(self) -> dict[str, Any]:
        """Return all tensors by name."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Copy tensors by name."""

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move to a device or a memory format."""

    def train(self, mode: bool = True) -> Any:
        """Switch between training and evaluation."""


class DecodingNetwork(Network, Protocol):
    """A network with a decoder, whose ``head`` turns the decoder's last map into an answer per voxel."""

    head: nn.Module

    def forward_decoder(self, features: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return the decoder's maps, deep to shallow, of the encoder's."""


AnyNetwork = TypeVar("AnyNetwork", bound=Network)


def checked_network(network: AnyNetwork) -> AnyNetwork:
    """Return a network that says all that is needed of it.

    Raises:
        UserError: it does not declare its parts, or they are not the whole of it.
    """
    name = type(network).__name__
    missing = [attribute for attribute in DECLARED if not hasattr(network, attribute)]
    if missing:
        raise UserError(
            f"The network {name} does not declare {', '.join(missing)}; take one of monai_sg.networks, or declare "
            "there what `monai_sg.networks.contract.Network` names."
        )
    for key in network.state_dict():
        parts = [part for part in network.parts if in_parts(network, key, part)]
        if len(parts) != 1:
            raise UserError(
                f"{key} of the network {name} belongs to {' and '.join(parts) or 'none'} of its parts "
                f"({', '.join(network.parts)}); declare parts that hold every tensor once."
            )
    return network


def keys_of(network: Network, *parts: str) -> list[str]:
    """Return the names in the state dict that belong to some parts of a network, in the order of the state dict."""
    return [name for name in network.state_dict() if in_parts(network, name, *parts)]


def parameters_of(network: Network, *parts: str) -> list[nn.Parameter]:
    """Return the parameters of some parts of a network."""
    return [value for name, value in network.named_parameters() if in_parts(network, name, *parts)]


def in_parts(network: Network, name: str, *parts: str) -> bool:
    """Return whether the module or tensor ``name`` belongs to some parts of a network."""
    return any(f"{name}.".startswith(f"{module}.") for part in parts for module in network.parts[part])


def parts_named(network: Network, part: str | Sequence[str]) -> list[str]:
    """Return the parts of a network that ``encoder``, ``encoder_decoder`` or a list of names mean.

    Raises:
        UserError: the network has no such part.
    """
    names = part.split("_") if isinstance(part, str) else list(part)
    for name in names:
        if name not in network.parts:
            raise UserError(
                f"The network {type(network).__name__} has no part {name!r}, which {part!r} asks for: its parts are "
                f"{', '.join(network.parts)}; to load its encoder alone say --pretrained_part encoder."
            )
    return names


def check_sizes(x: torch.Tensor, divisor: int) -> None:
    """Raise ``ValueError`` for an image ``(B, C, *spatial)`` of which a spatial size is no multiple of ``divisor``."""
    for size in x.shape[2:]:
        if size % divisor != 0:
            raise UserError(f"Each spatial size must be a multiple of {divisor}, got {x.shape}; crop or pad it.")

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn

from monai_sg.networks.classifier import Classifier
from monai_sg.networks.contract import checked_network, keys_of, parameters_of, parts_named
from monai_sg.networks.genesis_encoder import GenesisEncoder
from monai_sg.networks.genesis_unet import GenesisUNet


class Own(nn.Module):
    """A network from outside this package that declares its parts, some of which consist of several modules."""

    stem_key, size_divisor, spatial_dims, in_channels, encoder_channels = "first", 1, 2, 1, [2]

    def __init__(self, parts: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        self.first, self.first_norm, self.last = nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1)
        self.parts = parts

    def forward_features(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [self.first_norm(self.first(x))]

    def describe(self) -> dict[str, Any]:
        return {}


def test_parts_may_consist_of_modules_whose_names_begin_alike() -> None:
    network = checked_network(Own({"encoder": ("first", "first_norm"), "head": ("last",)}))
    assert keys_of(network, "head") == ["last.weight", "last.bias"]
    assert len(keys_of(network, "encoder")) == 2 + 5
    assert [tuple(value.shape) for value in parameters_of(network, "encoder")] == [(2, 1, 1, 1), (2,), (2,), (2,)]


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"encoder": ("first",), "head": ("last",)}, r"first_norm\.weight of the network Own belongs to none of its"),
        (
            {"encoder": ("first", "first_norm", "last"), "head": ("last",)},
            r"last\.weight of the network Own belongs to encoder and head of its parts \(encoder, head\)",
        ),
    ],
)
def test_parts_that_are_not_the_whole_are_refused(parts: dict[str, tuple[str, ...]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        checked_network(Own(parts))


def test_a_network_without_parts_is_refused_in_one_sentence() -> None:
    network: Any = BasicUNet(spatial_dims=2, features=(2, 2, 2, 2, 2, 2))
    with pytest.raises(
        ValueError, match=r"The network BasicUNet does not declare parts, stem_key, .*; take one"
    ) as error:
        checked_network(network)
    assert str(error.value).count(". ") == 0


def test_parts_are_named_by_a_text_or_a_list() -> None:
    network = GenesisUNet(2, width=2)
    assert parts_named(network, "encoder") == ["encoder"]
    assert parts_named(network, "encoder_decoder") == ["encoder", "decoder"]
    assert parts_named(network, ["encoder", "head"]) == ["encoder", "head"]


def test_the_decoder_of_a_network_without_one_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"Classifier has no part 'decoder', .*parts are encoder, head; .* encoder\.$"):
        parts_named(Classifier(GenesisEncoder(2, width=2), 3), "encoder_decoder")

from __future__ import annotations

import pytest
import torch

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.weights.load import load_weights
from monai_sg.weights.matching import adapt_channels, match_weights


@pytest.mark.parametrize("dims", [2, 3])
def test_stem_of_another_channel_count_is_adapted_and_reported(dims: int) -> None:
    source = GenesisUNet(dims, width=4).eval()
    network = GenesisUNet(dims, width=4, in_channels=4)
    report = load_weights(network, source.state_dict(), ["encoder", "decoder", "head"], "x")
    assert report.is_complete
    assert report.adapted == ["encoder.0.0.conv.weight from 1 to 4 channels"]
    assert "adapted: encoder.0.0.conv.weight" in str(report)
    x = torch.rand(1, 1, *[16] * dims)
    torch.testing.assert_close(network.eval()(x.expand(-1, 4, *[-1] * dims)), source(x))


def test_adapted_channels_by_hand() -> None:
    weight = torch.tensor([[[2.0], [4.0]]])
    assert adapt_channels(weight, 3).tolist() == [[[2.0], [2.0], [2.0]]]
    assert adapt_channels(weight, 1).tolist() == [[[6.0]]]


def test_other_convolutions_are_not_adapted() -> None:
    weights = dict(GenesisUNet(2, width=4).state_dict())
    weights["encoder.1.0.conv.weight"] = torch.ones(8, 3, 3, 3)
    _, report = match_weights(GenesisUNet(2, width=4), weights, ["encoder"], "x")
    assert report.mismatched == {"encoder.1.0.conv.weight": "(8, 3, 3, 3) for (8, 8, 3, 3)"}


def test_only_names_that_are_in_no_part_are_unexpected() -> None:
    weights = {**GenesisUNet(2, width=4).state_dict(), "auxiliary.weight": torch.ones(1)}
    found, report = match_weights(GenesisUNet(2, width=4), weights, ["encoder"], "x")
    assert report.unexpected == ["auxiliary.weight"]
    assert list(found) == report.matched == [name for name in weights if name.startswith("encoder.")]

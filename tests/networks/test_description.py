from __future__ import annotations

from typing import Any

import pytest

from monai_sg.networks.classifier import Classifier
from monai_sg.networks.description import arguments_of, built
from monai_sg.networks.genesis_encoder import GenesisEncoder

UNET = "monai_sg.networks.genesis_unet.GenesisUNet"
ENCODER = {"_target_": "monai_sg.networks.genesis_encoder.GenesisEncoder", "spatial_dims": 2, "width": 2}


def test_inner_networks_are_described_and_built_too() -> None:
    described = Classifier(GenesisEncoder(2, 3, width=2), 5).describe()
    assert described == {
        "_target_": "monai_sg.networks.classifier.Classifier",
        "encoder": {**ENCODER, "in_channels": 3, "batch_statistics": False},
        "num_classes": 5,
    }
    network: Any = built(described)
    assert (network.in_channels, network.encoder_channels) == (3, [4, 8, 16, 32])
    assert arguments_of(described) == {
        "spatial_dims": 2,
        "width": 2,
        "in_channels": 3,
        "batch_statistics": False,
        "num_classes": 5,
    }


def test_the_module_of_a_packed_bundle_and_networks_of_monai_are_built() -> None:
    network: Any = built({"_target_": f"scripts.{UNET}", "spatial_dims": 2, "width": 2})
    assert network.describe()["_target_"] == UNET
    encoder = built({"_target_": "monai.networks.nets.ResNetFeatures", "model_name": "resnet10", "pretrained": False})
    assert type(encoder).__name__ == "ResNetFeatures"


@pytest.mark.parametrize(
    ("described", "sentence"),
    [
        ({"_target_": "os.system", "command": "true"}, "'os.system' is no class below monai_sg.networks or monai.netw"),
        ({"_target_": "monai_sg.weights.load.initialised"}, "is no class below"),
        ({"_target_": "monai_sg.networks.x; import os"}, "is no class below"),
        ({"_target_": "monai.networks.utils.save_state"}, "is no class of a network"),
        ({"_target_": "monai_sg.networks.heads.nn"}, "is no class of a network"),
        (
            {"_target_": "monai_sg.networks.future.Net"},
            "There is no network 'monai_sg.networks.future.Net' in",
        ),
        ({"_target_": UNET, "spatial_dims": 2, "depth": 5}, "cannot be built from .*'depth'"),
        ({"_target_": UNET}, "cannot be built from .*missing a required argument: 'spatial_dims'"),
        ({"spatial_dims": 2}, "describes no network"),
        ("GenesisUNet", "'GenesisUNet' describes no network"),
    ],
)
def test_anything_else_is_refused(described: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        built(described)


def test_nothing_in_a_description_is_evaluated() -> None:
    with pytest.raises((ValueError, TypeError)):
        built({"_target_": UNET, "spatial_dims": "$__import__('sys').exit(3)"})

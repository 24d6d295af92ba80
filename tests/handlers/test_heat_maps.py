from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.visualize import CAM
from PIL import Image

from monai_sg.handlers.heat_maps import HeatMaps, class_maps
from monai_sg.networks.classifier import Classifier
from monai_sg.networks.genesis_encoder import GenesisEncoder
from monai_sg.networks.resnet_encoder import ResNetEncoder

FILMS = {"a": 0.1, "b": 0.9, "c": 0.5, "d": 0.7, "e": 0.3}


def _classifier(spatial_dims: int = 2, classes: int = 2) -> Classifier:
    torch.manual_seed(0)
    return Classifier(ResNetEncoder(spatial_dims, name="resnet10"), classes)


def test_maps_are_those_of_monai() -> None:
    network, images = _classifier(), torch.rand(2, 1, 64, 96)
    maps = class_maps(network, images)
    cam = CAM(network, target_layers="encoder.layer4", fc_layers="head", postprocessing=lambda x: x)
    expected = torch.cat([cam(images, class_idx=[column] * 2) for column in range(2)], dim=1)
    torch.testing.assert_close(maps, expected)
    torch.testing.assert_close(
        maps.mean((2, 3)), network(images), atol=0.05, rtol=0.05
    )  # upsampling favours the middle


def test_films_of_either_end_in_the_order_of_their_probability(tmp_path: Path) -> None:
    network = Classifier(GenesisEncoder(spatial_dims=2, width=4), 2)
    draw = torch.Generator().manual_seed(0)
    images = {name: torch.rand(1, 32, 48, generator=draw) for name in FILMS}

    def step(engine: Engine, names: list[str]) -> list[dict[str, Any]]:
        engine.state.batch = [{"id": name, "image": images[name]} for name in names]
        return [{"pred": torch.tensor([FILMS[name], 1 - FILMS[name]])} for name in names]

    engine = Engine(step)
    HeatMaps(network, tmp_path, ["mass", "a/b"], films=2).attach(engine)
    engine.run([["a", "b"], ["c", "d", "e"]])
    mass, other = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("mass", "a%2Fb"))
    height, width = 14 + 192 + 2, 2 * 4 * 32 + 4  # enlarged by four, to at least 160 rows; a film and its map
    assert mass.shape == (2 * height, 2 * width, 3)

    def film(picture: np.ndarray, row: int, column: int) -> np.ndarray:
        return picture[row * height + 14 : (row + 1) * height - 2 : 4, column * width : column * width + 128 : 4, 0]

    for picture, order in ((mass, "bdae"), (other, "aebd")):
        for place, name in enumerate(order):
            image = images[name][0]
            shown = (image - image.min()) / (image.max() - image.min()) * 255
            np.testing.assert_allclose(film(picture, *divmod(place, 2)), shown.T.numpy(), atol=1.01)


def test_volumes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="drawn of pictures, not of 3D images; set heat_maps 0"):
        HeatMaps(_classifier(3), tmp_path, ["a", "b"])

from __future__ import annotations

import pytest
import torch
from monai.data import DataLoader
from monai.engines import SupervisedTrainer

from monai_sg.handlers.freeze_encoder import FreezeEncoder
from monai_sg.networks.genesis_unet import GenesisUNet


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("frozen", "epochs"), [(0, 1), (1, 1), (2, 3)])
def test_encoder_keeps_its_weights_while_frozen_and_the_decoder_learns(dims: int, frozen: int, epochs: int) -> None:
    torch.manual_seed(0)
    network = GenesisUNet(spatial_dims=dims, width=4)
    data = [{"image": torch.rand(1, *[8] * dims), "label": torch.ones(1, *[8] * dims)} for _ in range(2)]
    before = {name: value.clone() for name, value in network.named_parameters()}
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=DataLoader(data, batch_size=2),
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), 0.1),
        loss_function=torch.nn.BCEWithLogitsLoss(),
        train_handlers=[FreezeEncoder(network, frozen)],
        decollate=False,
    )
    trainer.run()
    kept = {name for name, value in network.named_parameters() if torch.equal(value, before[name])}
    encoder = {name for name, _ in network.named_parameters() if name.startswith("encoder.")}
    assert "head.weight" not in kept
    assert ("encoder.0.0.conv.weight" in kept) == (frozen >= epochs)
    if frozen >= epochs:
        assert encoder <= kept
    assert float(network.encoder[0][0].adn.N.running_mean.abs().sum()) > 0, "statistics follow the new images"

from __future__ import annotations

import pytest
import torch

from monai_sg.methods.base import PretrainingMethod
from monai_sg.methods.restoration import Restoration, error_per_crop
from monai_sg.methods.semantic_genesis import SemanticGenesis
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.heads import PatternHead
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.transforms.genesis_corruption import GenesisCorruption
from monai_sg.transforms.identity import Identity

SIZES = [(32, 32), (32, 32, 16)]


def semantic_genesis(dims: int, lambda_rec: float = 1.0, lambda_cls: float = 0.01) -> SemanticGenesis:
    network = GenesisUNet(spatial_dims=dims, width=4)
    head = PatternHead(dims, network.encoder_channels[-1], 5)
    return SemanticGenesis(network, head, GenesisCorruption(), lambda_rec, lambda_cls)


def batch_of(size: tuple[int, ...], count: int = 3) -> dict[str, torch.Tensor]:
    return {"image": torch.rand(count, 1, *size), "label": torch.arange(count)}


def test_error_is_the_mean_square_per_crop() -> None:
    restored = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]], [[[0.5, 0.5], [0.5, 0.5]]]])
    torch.testing.assert_close(error_per_crop(restored, torch.zeros(2, 1, 2, 2)), torch.tensor([0.25, 0.25]))


def drawn(method: PretrainingMethod, batch: dict[str, torch.Tensor], seed: int = 0) -> dict[str, torch.Tensor]:
    return method.sample(batch, *(torch.Generator().manual_seed(seed) for _ in range(2)))


@pytest.mark.parametrize("size", SIZES)
def test_joint_loss_is_the_weighted_sum_of_its_parts(size: tuple[int, ...]) -> None:
    method, batch = semantic_genesis(len(size), 2.0, 0.5), batch_of(size)
    output = method(batch, drawn(method, batch))
    expected = 2.0 * output["restoration"].mean() + 0.5 * output["classification"].mean()
    torch.testing.assert_close(output["loss"], expected)
    torch.testing.assert_close(output["restoration"], error_per_crop(output["restored"], batch["image"]))
    assert output["accuracy"].shape == output["classification"].shape == (3,)


@pytest.mark.parametrize("size", SIZES)
def test_every_parameter_gets_a_gradient(size: tuple[int, ...]) -> None:
    method, batch = semantic_genesis(len(size)), batch_of(size)
    method(batch, drawn(method, batch))["loss"].backward()
    assert all(p.grad is not None for p in method.parameters())


def test_self_classification_freezes_what_it_does_not_run() -> None:
    method, batch = semantic_genesis(2, lambda_rec=0.0, lambda_cls=1.0), batch_of((32, 32))
    output = method(batch, drawn(method, batch))
    output["loss"].backward()
    torch.testing.assert_close(output["loss"], output["classification"].mean())
    assert "restored" not in output
    trained = {name.split(".")[1] for name, p in method.named_parameters() if p.requires_grad and "network" in name}
    assert trained == {"encoder"}
    assert all((p.grad is not None) == p.requires_grad for p in method.parameters())


def test_same_generator_same_output_and_the_target_stays_clean() -> None:
    method, batch = semantic_genesis(3).eval(), batch_of((32, 32, 16))
    before = batch["image"].clone()
    first, second = (method(batch, drawn(method, batch, 1)) for _ in range(2))
    assert torch.equal(first["loss"], second["loss"])
    assert torch.equal(batch["image"], before)
    assert not torch.equal(first["corrupted"], batch["image"])


def test_auto_encoder_restores_the_image_as_it_is() -> None:
    method, batch = Restoration(NonSkipUNet(spatial_dims=2, width=4), Identity()), batch_of((16, 16))
    output = method(batch, drawn(method, batch))
    assert torch.equal(output["corrupted"], batch["image"])
    torch.testing.assert_close(output["loss"], (output["restored"] - batch["image"]).square().mean())


@pytest.mark.parametrize(("rec", "cls"), [(-1.0, 1.0), (1.0, 0.0)])
def test_weights_that_make_no_sense_are_refused(rec: float, cls: float) -> None:
    with pytest.raises(ValueError, match="lambda"):
        semantic_genesis(2, rec, cls)


def test_method_compiles_whole() -> None:
    method, batch = semantic_genesis(2).eval(), batch_of((32, 32))
    params = drawn(method, batch)
    explanation = torch._dynamo.explain(method)(batch, params)
    assert explanation.graph_break_count == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rec", [0.0, 1.0])
def test_a_step_is_where_the_method_is(size: tuple[int, ...], rec: float) -> None:
    method, batch = semantic_genesis(len(size), rec).to("meta"), batch_of(size)
    params = drawn(method, batch)
    output = method({name: value.to("meta") for name, value in batch.items()}, params)
    output["loss"].backward()
    assert all(value.is_meta for name, value in output.items() if name != "size")
    assert all(p.grad is None or p.grad.is_meta for p in method.parameters())


@pytest.mark.parametrize("size", SIZES)
def test_devices_agree(size: tuple[int, ...], device: torch.device) -> None:
    method, batch = semantic_genesis(len(size)), batch_of(size)
    params = drawn(method, batch)
    expected = method(batch, params)["loss"].item()
    there = {name: value.to(device) for name, value in batch.items()}
    output = method.to(device)(there, {name: value.to(device) for name, value in params.items()})
    output["loss"].backward()
    assert output["loss"].item() == pytest.approx(expected, rel=1e-3)  # TF32 on recent GPUs

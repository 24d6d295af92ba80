from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from ignite.engine import Engine
from monai.transforms import RandomizableTransform
from torch import nn

from monai_sg.data.seeded import SeededDataset
from monai_sg.handlers.recalibration import Recalibration
from monai_sg.methods.base import Batch, Params, PretrainingMethod
from monai_sg.networks.batch_statistics import BatchStatisticsNorm
from monai_sg.networks.genesis_unet import GenesisUNet
from tests.ranks import run_ranks


class Shifted(RandomizableTransform):
    """A random image of mean 3 and standard deviation 2, for what training has not prepared a network."""

    def __call__(self, data: Any) -> dict[str, torch.Tensor]:
        image = 3 + 2 * self.R.standard_normal((1, *data["size"]))
        return {"image": torch.from_numpy(image).float()}


def images(dims: int = 2, number: int = 5) -> SeededDataset:
    return SeededDataset([{"size": [8] * dims}] * number, Shifted(), seed=3)


def stale(network: nn.Module) -> nn.Module:
    """Give a network statistics that have nothing to do with what it sees."""
    for name, value in network.named_buffers():
        if "running" in name:
            value.copy_(torch.full_like(value, 50.0))
    return network.eval()


def statistics(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.named_buffers()}


@pytest.mark.parametrize("dims", [2, 3])
def test_stale_statistics_become_the_mean_of_those_of_the_batches(dims: int) -> None:
    norm = nn.BatchNorm2d(1) if dims == 2 else nn.BatchNorm3d(1)
    network = stale(nn.Sequential(norm))
    recalibration = Recalibration(network, images(dims), batch_size=2, seed=0, device="cpu", batches=3)
    recalibration()
    batches = [batch["image"] for batch in recalibration._own()]
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert float(norm.running_mean) == pytest.approx(sum(float(batch.mean()) for batch in batches) / 3, rel=1e-5)
    assert float(norm.running_var) == pytest.approx(sum(float(batch.var()) for batch in batches) / 3, rel=1e-5)
    assert norm.momentum == 0.1
    assert not network.training


def test_a_network_with_stale_statistics_is_as_good_as_its_weights_again() -> None:
    torch.manual_seed(0)
    network = GenesisUNet(spatial_dims=2, width=4)
    image = torch.stack([images()[index]["image"] for index in range(4)])
    with torch.no_grad():
        expected = network.train()(image)
        wrong = stale(network)(image)
        Recalibration(network, images(), batch_size=4, seed=0, device="cpu")()
        right = network(image)
    assert float((wrong - expected).abs().mean()) > 5 * float((right - expected).abs().mean())
    assert float((right - expected).abs().mean()) < 0.25 * float(expected.std())


def test_batches_are_a_function_of_the_seed_and_nothing_random_is_used_up() -> None:
    def recalibrated(seed: int, workers: int = 0) -> dict[str, torch.Tensor]:
        network = stale(GenesisUNet(spatial_dims=2, width=2))
        for parameter in network.parameters():
            nn.init.constant_(parameter, 0.1)
        before = torch.get_rng_state()
        recalibration = Recalibration(network, images(number=50), 2, seed, "cpu", num_workers=workers)
        recalibration()
        assert torch.equal(torch.get_rng_state(), before)
        once = statistics(network)
        recalibration()
        assert all(torch.equal(value, once[name]) for name, value in statistics(network).items())
        return once

    first, other = recalibrated(0), recalibrated(1)
    for again in (recalibrated(0), recalibrated(0, workers=1)):
        assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["encoder.0.0.adn.N.running_mean"], other["encoder.0.0.adn.N.running_mean"])


@pytest.mark.parametrize(("steps", "batches"), [(None, 8), (1, 2), (8, 2), (9, 3), (20, 5), (1000, 8)])
def test_short_epochs_are_not_made_dear(steps: int | None, batches: int) -> None:
    network = nn.Sequential(nn.BatchNorm2d(1))
    recalibration = Recalibration(network, images(), 1, 0, "cpu", steps=steps)
    recalibration()
    assert len(recalibration._own()) == batches


def test_parameters_and_gradients_are_left_alone() -> None:
    network = GenesisUNet(spatial_dims=2, width=2)
    before = {name: value.clone() for name, value in network.named_parameters()}
    Recalibration(network, images(), 2, 0, "cpu")()
    assert all(torch.equal(value, before[name]) and value.grad is None for name, value in network.named_parameters())


def test_nothing_happens_without_batch_norm(caplog: pytest.LogCaptureFixture) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.InstanceNorm2d(2))
    recalibration = Recalibration(network, images(), 2, 0, "cpu")
    with caplog.at_level(logging.INFO):
        recalibration()
    assert recalibration._loaded is None
    assert not caplog.messages


def test_the_norm_of_released_networks_keeps_true_statistics_too() -> None:
    norm, usual = BatchStatisticsNorm(1), nn.BatchNorm3d(1)
    for layer in (norm, usual):
        Recalibration(stale(nn.Sequential(layer)), images(3), 2, 0, "cpu")()
    assert torch.equal(norm.running_mean, usual.running_mean)
    assert torch.equal(norm.running_var, usual.running_var)


def test_it_runs_before_every_validation_and_says_once_what_it_costs(caplog: pytest.LogCaptureFixture) -> None:
    network = stale(nn.Sequential(nn.BatchNorm2d(1)))
    seen: list[float] = []
    validator = Engine(lambda engine, batch: seen.append(float(network[0].running_mean)))
    Recalibration(network, images(), 2, 0, "cpu").attach(validator)
    with caplog.at_level(logging.INFO, logger="monai_sg"):
        for _ in range(2):
            stale(network)
            validator.run([0])
    assert seen == pytest.approx([3.0, 3.0], abs=0.2)
    (sentence,) = [record.message for record in caplog.records if record.name.startswith("monai_sg")]
    assert sentence.startswith("Batch norm is recalibrated over 8 batches of 2 before each validation; it took ")


class Brighter(PretrainingMethod):
    """Sees images that are brighter by a random amount around 10."""

    def sample(self, batch: Batch, generator: torch.Generator, shared: torch.Generator) -> Params:
        return {"shift": 10 + torch.rand(1, generator=generator)}

    def forward(self, batch: Batch, params: Params) -> dict[str, Any]:
        loss = self.network(batch["image"] + params["shift"]).mean()
        return {"loss": loss, "size": len(batch["image"])}


class WithTwoNorms(nn.Module):
    """A network with a layer that is not reached."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.unused = nn.BatchNorm2d(1), nn.BatchNorm2d(1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.first(image)


def test_a_method_is_recalibrated_as_it_is_trained_and_its_network_for_a_while_on_clean_images() -> None:
    method = Brighter(stale(WithTwoNorms()))  # type: ignore[arg-type]
    recalibration = Recalibration(method, images(), 2, 0, "cpu")
    recalibration()
    corrupted = statistics(method)
    assert float(corrupted["network.first.running_mean"]) == pytest.approx(13.5, abs=0.3)
    assert float(corrupted["network.unused.running_mean"]) == 50, "no batch reaches it"
    with recalibration.clean():
        assert float(statistics(method)["network.first.running_mean"]) == pytest.approx(3, abs=0.2)
    assert all(torch.equal(value, corrupted[name]) for name, value in statistics(method).items())


def test_a_network_without_a_method_has_seen_clean_images_already() -> None:
    network = stale(nn.Sequential(nn.BatchNorm2d(1)))
    with Recalibration(network, images(), 2, 0, "cpu").clean():
        assert float(network[0].running_mean) == 50


def _of_rank(rank: int, world: int, path: str) -> None:
    if world > 1:
        dist.init_process_group("gloo", rank=rank, world_size=world, init_method=f"file://{path}/meet")
    torch.manual_seed(0)
    network = stale(GenesisUNet(spatial_dims=2, width=2))
    method = Brighter(network)
    Recalibration(method, images(), 2, 0, "cpu")()
    torch.save(statistics(network), f"{path}/{world}_{rank}.pt")
    if world > 1:
        dist.destroy_process_group()


@pytest.mark.dist
def test_ranks_share_the_batches_and_end_like_one_process(tmp_path: Path) -> None:
    run_ranks(_of_rank, 2, str(tmp_path))
    _of_rank(0, 1, str(tmp_path))
    one, first, second = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("1_0", "2_0", "2_1"))
    for name, value in one.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], value, rtol=1e-5, atol=1e-6)

from __future__ import annotations

import pytest
import torch
from monai.transforms import Compose, RandGaussianNoise, RandRotate90
from torch.utils.data import DataLoader

from monai_sg.data.seeded import EpochSampler, SeededDataset

NUM_ITEMS = 10


@pytest.fixture
def dataset() -> SeededDataset:
    transform = Compose([RandRotate90(prob=0.5), RandGaussianNoise(prob=0.5)])
    return SeededDataset([torch.full((1, 4, 4), float(index)) for index in range(NUM_ITEMS)], transform, seed=3)


def _numbers(length: int) -> SeededDataset:
    return SeededDataset(list(range(length)))


def _batches(dataset: SeededDataset, num_workers: int, epoch: int) -> torch.Tensor:
    sampler = EpochSampler(dataset, seed=1)
    sampler.set_epoch(epoch)
    loader = DataLoader(dataset, batch_size=3, sampler=sampler, num_workers=num_workers)
    return torch.cat(list(loader))


def test_workers_do_not_matter(dataset: SeededDataset) -> None:
    expected = _batches(dataset, 0, epoch=2)
    for num_workers in (1, 2):
        torch.testing.assert_close(_batches(dataset, num_workers, epoch=2), expected, rtol=0, atol=0)


def test_order_of_access_does_not_matter(dataset: SeededDataset) -> None:
    forward = [dataset[1, index] for index in range(NUM_ITEMS)]
    backward = [dataset[1, index] for index in reversed(range(NUM_ITEMS))]
    assert all(torch.equal(one, other) for one, other in zip(forward, reversed(backward), strict=True))


def test_epoch_and_index_matter() -> None:
    dataset = SeededDataset([torch.zeros(1, 4)] * 2, RandGaussianNoise(prob=1.0), seed=0)
    assert torch.equal(dataset[0, 1], dataset[1])
    assert not torch.equal(dataset[0, 1], dataset[1, 1])
    assert not torch.equal(dataset[0, 0], dataset[0, 1])
    assert torch.equal(dataset[0, -1], dataset[0, 1])
    other = SeededDataset([torch.zeros(1, 4)] * 2, [RandGaussianNoise(prob=1.0)], seed=1)
    assert not torch.equal(other[0, 1], dataset[0, 1])


def test_transform_without_randomness_and_without_transform() -> None:
    assert SeededDataset([1, 2], lambda value: value * 2)[4, 1] == 4
    assert SeededDataset([1, 2])[1] == 2
    assert list(SeededDataset([1, 2, 3])[:2]) == [1, 2]


def test_sampler_permutes_by_epoch() -> None:
    sampler = EpochSampler(_numbers(NUM_ITEMS), seed=0)
    first = list(sampler)
    assert list(sampler) == first
    assert [epoch for epoch, _ in first] == [0] * NUM_ITEMS
    assert sorted(index for _, index in first) == list(range(NUM_ITEMS))
    sampler.set_epoch(1)
    second = list(sampler)
    assert {epoch for epoch, _ in second} == {1}
    assert [index for _, index in second] != [index for _, index in first]


def test_sampler_in_order() -> None:
    assert list(EpochSampler(_numbers(3), shuffle=False)) == [(0, 0), (0, 1), (0, 2)]
    assert list(EpochSampler(_numbers(3), shuffle=False, num_samples=5)) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert list(EpochSampler(_numbers(2), shuffle=False, num_samples=1)) == [(0, 0)]


@pytest.mark.parametrize(("length", "num_replicas"), [(10, 1), (10, 2), (10, 3), (2, 4), (1, 3)])
@pytest.mark.parametrize("shuffle", [True, False])
def test_ranks_share_evenly(length: int, num_replicas: int, shuffle: bool) -> None:
    ranks = [
        EpochSampler(_numbers(length), shuffle=shuffle, rank=rank, num_replicas=num_replicas)
        for rank in range(num_replicas)
    ]
    indices = [[index for _, index in sampler] for sampler in ranks]
    assert {len(part) for part in indices} == {len(ranks[0])} == {-(-length // num_replicas)}
    drawn = [index for part in indices for index in part]
    assert set(drawn) == set(range(length))
    assert max(drawn.count(index) for index in range(length)) <= -(-len(drawn) // length)


def test_more_samples_than_items() -> None:
    indices = [index for _, index in EpochSampler(_numbers(4), num_samples=10)]
    assert len(indices) == 10
    assert {indices.count(index) for index in range(4)} == {2, 3}


def test_a_repeated_index_is_another_item_in_this_epoch_and_the_next() -> None:
    sampler = EpochSampler(_numbers(4), num_samples=10)
    items = list(sampler)
    sampler.set_epoch(1)
    items += list(sampler)
    assert len(set(items)) == 20


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="empty"):
        EpochSampler(_numbers(0))
    with pytest.raises(ValueError, match="Invalid rank 2"):
        EpochSampler(_numbers(3), rank=2, num_replicas=2)
    with pytest.raises(ValueError, match="num_samples is 0"):
        EpochSampler(_numbers(3), num_samples=0)

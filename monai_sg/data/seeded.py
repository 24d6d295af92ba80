"""Random items as a function of (seed, epoch, index), whatever the number of workers and their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from monai.data.dataset import Dataset
from monai.transforms.compose import Compose
from monai.transforms.transform import Randomizable
from torch.utils.data.distributed import DistributedSampler

from ..utils import distributed
from ..utils.errors import UserError
from ..utils.seeds import generator_for, seed_for

EpochIndex = tuple[int, int]


class Seeded:
    """Part of a MONAI data set whose random transforms are seeded anew for every item.

    An item is asked for with ``(epoch, index)``, which `EpochSampler` yields, or with ``index`` alone, which is
    epoch 0. Before the transform is applied, ``set_random_state(seed_for(seed, epoch, index))`` is called on it, hence
    the item depends neither on the workers nor on the items before it. A class puts it before the data set.

    Attributes:
        seed: another seed gives other random items.
    """

    seed: int
    transform: Any

    @property
    def seeded(self) -> Any:
        """The transform that is seeded."""
        return self.transform

    def __getitem__(self, index: int | slice | Sequence[int]) -> Any:
        """Return one item for an integer or a tuple ``(epoch, index)``; a slice or list gives a subset, unseeded."""
        if isinstance(index, tuple):
            epoch, position = index
        elif isinstance(index, int):
            epoch, position = 0, index
        else:
            return super().__getitem__(index)  # type: ignore[misc]
        if position < 0:
            position += len(self)  # type: ignore[arg-type]
        if isinstance(self.seeded, Randomizable):
            self.seeded.set_random_state(seed=seed_for(self.seed, epoch, position))
        return self._transform(position)  # type: ignore[attr-defined]


class SeededDataset(Seeded, Dataset):
    """A data set whose random transforms are seeded anew for every item, see `Seeded`.

    Args:
        data: one element per item, given to ``transform``.
        transform: any transform; a `Randomizable` or a `Compose` is seeded.
        seed: another seed gives other random items.

    Example:
        >>> from monai.transforms import RandGaussianNoise
        >>> dataset = SeededDataset([torch.zeros(1, 4)], RandGaussianNoise(prob=1.0), seed=0)
        >>> bool((dataset[0, 0] == dataset[0]).all()), bool((dataset[1, 0] == dataset[0]).all())
        (True, False)
    """

    def __init__(
        self,
        data: Sequence[Any],
        transform: Sequence[Callable[..., Any]] | Callable[..., Any] | None = None,
        seed: int = 0,
    ) -> None:
        if isinstance(transform, Sequence):
            transform = Compose(transform)
        super().__init__(data, transform)
        self.seed = seed


class EpochSampler(DistributedSampler[EpochIndex]):
    """Yields ``(epoch, index)`` so that `SeededDataset` knows the epoch, split evenly over ranks.

    The permutation of an epoch comes from ``generator_for(seed, "order", epoch)`` and is the same on all ranks; rank r
    takes every ``num_replicas``-th index from r on. All ranks get the same number, the first indices being repeated
    where it does not divide. With ``num_samples`` beyond the length, indices are repeated in further permutations, each
    of which counts as an epoch of its own for the items, so that a repeated index gives another random item.
    It is a ``DistributedSampler``, so that MONAI's engines tell it the epoch, with or without a process group.

    Args:
        dataset: the data set.
        seed: another seed gives another order.
        shuffle: draw a permutation; in order if ``False``.
        num_samples: items per epoch over all ranks; the length of the data set if ``None``.
        num_replicas: number of processes, that of the process group if ``None``.
        rank: this process, that of the process group if ``None``.

    Raises:
        ValueError: the data set is empty, or ``rank`` is not below ``num_replicas``.
    """

    def __init__(
        self,
        dataset: Dataset,
        seed: int = 0,
        shuffle: bool = True,
        num_samples: int | None = None,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        if len(dataset) < 1:
            raise UserError("The data set is empty; add patients, or change the split in the data list.")
        if num_samples is not None and num_samples < 1:
            raise UserError(f"num_samples is {num_samples}; give at least 1, or None for the whole data set.")
        super().__init__(
            dataset,
            num_replicas=distributed.world_size() if num_replicas is None else num_replicas,
            rank=distributed.rank() if rank is None else rank,
            shuffle=shuffle,
            seed=seed,
        )
        self.length = len(dataset)
        self.total = self.length if num_samples is None else num_samples

    def __len__(self) -> int:
        return -(-self.total // self.num_replicas)

    def __iter__(self) -> Iterator[EpochIndex]:
        passes = -(-self.total // self.length)
        order = [(self.epoch * passes + position // self.length, index) for position, index in enumerate(self._order())]
        order += [order[position % self.total] for position in range(len(self) * self.num_replicas - self.total)]
        return iter(order[self.rank :: self.num_replicas])

    def _order(self) -> list[int]:
        """Return ``total`` indices."""
        if not self.shuffle:
            return [position % self.length for position in range(self.total)]
        generator = generator_for(self.seed, "order", self.epoch)
        order: list[int] = []
        while len(order) < self.total:
            order += torch.randperm(self.length, generator=generator).tolist()
        return order[: self.total]

"""The share of a process in data that every process looks at once, such as validation images."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from torch.utils.data import Sampler

from ..utils.distributed import rank, world_size


class RankShare(Sampler[int]):
    """The indices of a process, in order: each record belongs to one process, and none is repeated.

    Where there are more processes than records, the others look at a record again, so that all do the same work
    together; `Overlap` and `CaseTable` count a case once. (MONAI's ``DistributedSampler`` refuses such a number.)

    Args:
        dataset: the data set.
    """

    def __init__(self, dataset: Sized) -> None:
        first = rank() % max(1, len(dataset))
        self._indices = range(first, len(dataset), world_size())

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

"""The share of a process in data that every process looks at once, such as validation images."""

from __future__ import annotations

from monai.data import Dataset, DistributedSampler

from ..utils.distributed import world_size
from ..utils.errors import UserError


class RankShare(DistributedSampler):
    """MONAI's sampler of a process, in order: each record belongs to one process, and none is repeated.

    Args:
        dataset: the data set.

    Raises:
        UserError: there are fewer records than processes, so that one would have nothing to do.
    """

    def __init__(self, dataset: Dataset) -> None:
        if len(dataset) < world_size():
            raise UserError(
                f"{len(dataset)} images cannot be shared by {world_size()} processes; start at most {len(dataset)} "
                "processes, or add images to this split of the data list."
            )
        super().__init__(dataset, even_divisible=False, shuffle=False)

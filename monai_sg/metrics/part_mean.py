"""Metrics of the parts of a pre-training loss, exact over batches of unequal size and over ranks."""

from __future__ import annotations

from typing import Any

import torch
from ignite.exceptions import NotComputableError
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce


class PartMean(Metric):
    """Mean over all items of one entry of a method's output, which says by ``size`` how many items a batch had.

    Args:
        part: name of the entry: a value per item ``(size,)``, or a scalar that stands for the whole batch.
    """

    def __init__(self, part: str) -> None:
        self.part = part
        super().__init__(output_transform=lambda output: (output[part], output["size"]))

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget all items."""
        self._sum: Any = 0.0
        self._count = 0

    @reinit__is_reduced
    def update(self, output: tuple[torch.Tensor, int]) -> None:
        """Add a batch; nothing is synchronised with the device."""
        values, size = output
        self._sum = self._sum + values.detach().double().mean() * size
        self._count += size

    @sync_all_reduce("_sum", "_count")
    def compute(self) -> float:
        """Return the mean; raises ``NotComputableError`` before the first batch."""
        if self._count == 0:
            raise NotComputableError(f"No item was seen, so {self.part} has no mean.")
        return float(self._sum) / self._count

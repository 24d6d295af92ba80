"""How well corrupted crops are restored, beside answers that need no training."""

from __future__ import annotations

from typing import Any

import torch
from ignite.exceptions import NotComputableError
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from monai.networks.layers import median_filter

ANSWERS = ("network", "mean", "median")
REGIONS = ("all", "inside", "outside")
SMOOTHED = "corrupted_median"
CHANGE = 0.01


class RestorationError(Metric):
    """Mean squared error per voxel of restored crops, or of a trivial answer to the same crops.

    The first metric that needs the median filter leaves its result in the output of the batch for the others.

    Args:
        answer: ``network``; ``mean``, the mean of the original crop everywhere; or ``median``, the corrupted crop after
            a median filter of 3 voxels along each axis.
        region: ``all`` voxels; those ``inside`` the corruption, which changed by more than 0.01 of the intensity range
            (20 HU of 2000); or those ``outside`` it.

    Raises:
        ValueError: ``answer`` or ``region`` is unknown.
    """

    def __init__(self, answer: str = "network", region: str = "all") -> None:
        if answer not in ANSWERS or region not in REGIONS:
            raise ValueError(f"answer {answer!r} must be one of {ANSWERS} and region {region!r} one of {REGIONS}.")
        self.answer = answer
        self.region = region
        super().__init__(output_transform=self._crops)

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget all crops."""
        self._sum: Any = 0.0
        self._count: Any = 0

    @reinit__is_reduced
    def update(self, output: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
        """Add a batch of original crops, corrupted crops and answers, which broadcast to ``(B, 1, *spatial)``."""
        image, corrupted, answer = output
        errors = (answer - image).square()
        if self.region != "all":
            inside = (corrupted - image).abs() > CHANGE
            errors = errors[inside if self.region == "inside" else ~inside]
        self._sum = self._sum + errors.double().sum()
        self._count += errors.numel()

    def _crops(self, output: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return original crops, corrupted crops and the answer of an engine's output, as float32."""
        image, corrupted = output["image"].float(), output["corrupted"].float()
        if self.answer == "network":
            return image, corrupted, output["restored"].float()
        if self.answer == "mean":
            return image, corrupted, image.mean(dim=tuple(range(1, image.dim())), keepdim=True)
        if SMOOTHED not in output:
            output[SMOOTHED] = median_filter(corrupted, 3, spatial_dims=image.dim() - 2)
        return image, corrupted, output[SMOOTHED]

    @sync_all_reduce("_sum", "_count")
    def compute(self) -> float:
        """Return the error; raises ``NotComputableError`` if no voxel belongs to the region."""
        if self._count == 0:
            raise NotComputableError(f"No voxel was seen in the region {self.region}.")
        return float(self._sum) / self._count

"""In-painting of Models Genesis: boxes inside the crop are filled with noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .corruption import bernoulli, random_integers
from .painting import Boxes, Painting, inside, paintable, place_boxes


class InPaint(Painting):
    """Fill up to five boxes with noise, i.i.d. U[0, 1) per voxel.

    Zhou et al., Models Genesis, Medical Image Analysis 67 (2021), section 2.2, "in-painting". Each box exists with
    probability ``more_prob`` given the one before it, so that none does with 1 - ``more_prob``. Its edge along an axis
    of n voxels is uniform in n // 6 ... n // 3, and it stays 3 voxels away from the borders where there is room.

    Args:
        prob: probability that a crop is painted.
        boxes: largest number of boxes, 1 to 8.
        more_prob: probability that one more box follows.

    Raises:
        ValueError: when a probability is outside [0, 1], or the number of boxes outside 1 to 8; from `sample`, when an
            axis is shorter than 4 voxels.

    Example:
        >>> corruption = InPaint(more_prob=1.0)
        >>> corruption.sample((1, 1, 32, 32), torch.Generator().manual_seed(0))["mask"].any()
        tensor(True)
    """

    def sample_boxes(self, shape: Sequence[int], generator: torch.Generator) -> Boxes:
        """Draw the boxes of each crop."""
        sizes = paintable(shape, generator.device)
        used = bernoulli((shape[0], self.boxes), self.more_prob, generator).cummin(1).values
        low = (sizes // 6).clamp(min=1).expand(shape[0], self.boxes, -1)
        return place_boxes(random_integers(low, sizes // 3, generator), sizes, used, generator)

    def mask_of(self, boxes: Boxes, spatial: Sequence[int]) -> Tensor:
        """Mark the boxes."""
        return inside(boxes, spatial)

"""Out-painting of Models Genesis: noise everywhere but in a few windows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .corruption import bernoulli, random_integers
from .painting import Boxes, Painting, inside, paintable, place_boxes


class OutPaint(Painting):
    """Keep the union of up to five windows and fill the rest with noise, i.i.d. U[0, 1) per voxel.

    Zhou et al., Models Genesis, Medical Image Analysis 67 (2021), section 2.2, "out-painting". One window always
    exists, each further one with probability ``more_prob`` given the one before it. A window's edge along an axis of n
    voxels is n minus a uniform number of 3n // 7 ... 4n // 7, and it stays 3 voxels away from the borders where there
    is room.

    Args:
        prob: probability that a crop is painted.
        boxes: largest number of windows, 1 to 8.
        more_prob: probability that one more window follows.

    Raises:
        ValueError: when a probability is outside [0, 1], or the number of windows outside 1 to 8; from `sample`, when
            an axis is shorter than 4 voxels.

    Example:
        >>> corruption = OutPaint()
        >>> corruption.sample((1, 1, 32, 32), torch.Generator().manual_seed(0))["mask"][0, 0, 0].all()
        tensor(True)
    """

    def sample_boxes(self, shape: Sequence[int], generator: torch.Generator) -> Boxes:
        """Draw the windows of each crop."""
        sizes = paintable(shape, generator.device)
        used = bernoulli((shape[0], self.boxes), self.more_prob, generator)
        used[:, 0] = True
        low = (3 * sizes // 7).expand(shape[0], self.boxes, -1)
        edge = sizes - random_integers(low, 4 * sizes // 7, generator)
        return place_boxes(edge, sizes, used.cummin(1).values, generator)

    def mask_of(self, boxes: Boxes, spatial: Sequence[int]) -> Tensor:
        """Mark all but the windows."""
        return ~inside(boxes, spatial)

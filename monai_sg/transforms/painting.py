"""What in-painting and out-painting share: random boxes, their mask, and noise where the mask is set."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..utils.errors import UserError
from .corruption import Corruption, Params, bernoulli, check_probability, random_integers, split_shape

BORDER = 3
"""Voxels between a box and the border of the crop, where the crop is large enough."""

SMALLEST = 4
"""Shortest axis that can be painted, in voxels."""


class Boxes(NamedTuple):
    """Boxes of each crop: first voxel and edge along each axis, both ``(B, boxes, D)``; an unused box has edge 0."""

    start: Tensor
    edge: Tensor


class Painting(Corruption):
    """Replace the voxels inside or outside of random boxes by noise.

    Args:
        prob: probability that a crop is painted.
        boxes: largest number of boxes, 1 to 8.
        more_prob: probability that one more box follows.

    Raises:
        ValueError: when a probability is outside [0, 1], or the number of boxes outside 1 to 8.
    """

    def __init__(self, prob: float = 1.0, boxes: int = 5, more_prob: float = 0.95) -> None:
        if not 1 <= boxes <= 8:
            raise UserError(f"boxes is {boxes}; 1 to 8 can be painted.")
        self.prob = check_probability("prob", prob)
        self.more_prob = check_probability("more_prob", more_prob)
        self.boxes = boxes

    @abstractmethod
    def sample_boxes(self, shape: Sequence[int], generator: torch.Generator) -> Boxes:
        """Draw the boxes of each crop of a batch of this shape."""

    @abstractmethod
    def mask_of(self, boxes: Boxes, spatial: Sequence[int]) -> Tensor:
        """Mark what is painted, ``(B, 1, *spatial)`` booleans."""

    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw ``mask`` (B, 1, *spatial), true where painted, and ``noise`` (B, C, *spatial), U[0, 1) float32.

        Raises:
            ValueError: when an axis is shorter than 4 voxels.
        """
        batch, _, spatial = split_shape(shape)
        painted = bernoulli(batch, self.prob, generator).view(-1, *[1] * (len(shape) - 1))
        mask = self.mask_of(self.sample_boxes(shape, generator), spatial) & painted
        return {"mask": mask, "noise": uniform_noise(shape, generator)}

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Put the noise where the mask is set."""
        return torch.where(params["mask"].to(x.device), params["noise"].to(x.device, x.dtype), x)


def paintable(shape: Sequence[int], device: torch.device) -> Tensor:
    """Give the spatial shape as a tensor ``(D,)``.

    Raises:
        ValueError: when an axis is shorter than 4 voxels, in which no box has room beside kept voxels.
    """
    spatial = split_shape(shape)[2]
    if min(spatial) < SMALLEST:
        raise UserError(f"Crops of {spatial} voxels cannot be painted; every axis needs at least {SMALLEST} voxels.")
    return torch.tensor(spatial, device=device)


def place_boxes(edge: Tensor, sizes: Tensor, used: Tensor, generator: torch.Generator) -> Boxes:
    """Put boxes at uniformly random places at least `BORDER` voxels, or as many as there are, from the borders.

    Args:
        edge: box edges ``(B, boxes, D)``.
        sizes: voxels along each axis ``(D,)``.
        used: which boxes exist ``(B, boxes)``.
        generator: source of the places.

    Returns:
        the boxes.
    """
    border = ((sizes - edge) // 2).clamp(max=BORDER)
    return Boxes(random_integers(border, sizes - edge - border, generator), edge * used[..., None])


def inside(boxes: Boxes, spatial: Sequence[int]) -> Tensor:
    """Mark the union of the boxes, ``(B, 1, *spatial)`` booleans."""
    axes = len(spatial)
    bit = 1 << torch.arange(boxes.start.shape[1], device=boxes.start.device)
    covering = torch.full((), 255, dtype=torch.uint8, device=bit.device)  # bit k is set where box k reaches
    for axis in reversed(range(axes)):  # the last axis first, so that the largest products run along whole planes
        size = spatial[axis]
        voxel = torch.arange(size, device=bit.device)[:, None]
        start, edge = boxes.start[:, None, :, axis], boxes.edge[:, None, :, axis]
        line = (((voxel >= start) & (voxel < start + edge)) * bit).sum(2).to(torch.uint8)
        covering = covering & line.view(-1, 1, *[size if other == axis else 1 for other in range(axes)])
    return covering.clamp_(max=1).view(torch.bool)  # a CPU compares bytes one by one, but clamps them 32 at a time


def inside_or_outside(boxes: Boxes, windows: Boxes, painted: Tensor, outside: Tensor, spatial: Sequence[int]) -> Tensor:
    """Mark what is painted when each crop is in-painted, out-painted or neither.

    Args:
        boxes: of in-painting.
        windows: of out-painting, as many.
        painted: which crops are painted ``(B,)``.
        outside: which of them are out-painted ``(B,)``.
        spatial: voxels along each axis.

    Returns:
        booleans ``(B, 1, *spatial)``.
    """
    start, edge = (torch.where(outside[:, None, None], b, a) for a, b in zip(boxes, windows, strict=True))
    mask = inside(Boxes(start, edge * painted[:, None, None]), spatial)
    flipped = outside.view(-1, *[1] * (len(spatial) + 1))
    return mask.view(torch.uint8).bitwise_xor_(flipped.view(torch.uint8)).view(torch.bool)  # as bytes, see above


def uniform_noise(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draw U[0, 1) in steps of 2^-16, finer than any scanner's intensities; twice as fast as `torch.rand` on a CPU."""
    numbers = math.prod(shape)
    words = torch.empty((numbers + 3) // 4, dtype=torch.int64, device=generator.device)
    words.random_(-(2**63), None, generator=generator)  # four numbers each
    return words.view(torch.int16)[:numbers].float().add_(2**15).mul_(2**-16).view(tuple(shape))

"""Whether a label map lies on its image, and how its axes have to be turned for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from .formats import UnusableImageError

TOLERANCE = 0.02
ROUNDING = 2e-4
"""Voxels that label and image may lie apart, and the share of their extent by which formats round directions."""


@dataclass(frozen=True)
class Turn:
    """Order of the label's axes that fits the image, and which of them, in that order, run the other way."""

    order: tuple[int, ...]
    flipped: tuple[int, ...]

    @property
    def is_needed(self) -> bool:
        """Whether anything has to be turned."""
        return bool(self.flipped) or self.order != tuple(range(len(self.order)))


def turn_onto_image(
    label_shape: Sequence[int], label_affine: np.ndarray, shape: Sequence[int], affine: np.ndarray
) -> Turn:
    """Return how a label map is turned so that its voxels are those of its image.

    Corners may lie apart by 2 % of a voxel and 0.02 % of the extent, which is what formats round.

    Args:
        label_shape: spatial axes of the label map, two or three.
        label_affine: 3x3 or 4x4, voxel to mm.
        shape: spatial axes of the image.
        affine: 3x3 or 4x4.

    Raises:
        UnusableImageError: it has another grid, position or direction, with the numbers; a reason that reads well after
            the path of the label map.
    """
    axes = len(shape)
    if len(label_shape) != axes:
        raise _other_shape(label_shape, shape)
    first, second = _square(affine, axes), _square(label_affine, axes)
    to_image = np.linalg.inv(first) @ second
    directions = to_image[:axes, :axes]
    order = tuple(int(axis) for axis in np.abs(directions).argmax(axis=1))
    if sorted(order) != list(range(axes)):
        order = tuple(range(axes))
    turned = directions[:, order]
    if tuple(label_shape[axis] for axis in order) != tuple(shape):
        raise _other_shape(label_shape, shape)
    flipped = tuple(axis for axis in range(axes) if turned[axis, axis] < 0)
    for chosen in ((flipped, order), ((), tuple(range(axes)))):
        if tuple(label_shape[axis] for axis in chosen[1]) == tuple(shape):
            turn = Turn(chosen[1], chosen[0])
            if _apart(turn, to_image, shape)[0] <= TOLERANCE + ROUNDING * max(shape):
                return turn
    _, distance = _apart(Turn(tuple(range(axes)), ()), to_image, shape, first)
    raise UnusableImageError(_elsewhere(distance, flipped, first, second))


def _apart(
    turn: Turn, to_image: np.ndarray, shape: Sequence[int], affine: np.ndarray | None = None
) -> tuple[float, float]:
    """Return how far a corner voxel of the turned label lies from that of the image, in voxels and in mm."""
    axes = len(shape)
    corners = np.array([[*corner, 1] for corner in product(*((0, length - 1) for length in shape))], dtype=float).T
    in_label = np.ones_like(corners)
    for place, axis in enumerate(turn.order):
        in_label[axis] = shape[place] - 1 - corners[place] if place in turn.flipped else corners[place]
    moved = to_image @ in_label - corners
    voxels = float(np.linalg.norm(moved[:axes], axis=0).max())
    return voxels, float(np.linalg.norm((affine @ moved)[:axes], axis=0).max()) if affine is not None else 0.0


def _square(affine: np.ndarray, axes: int) -> np.ndarray:
    """Return the affine of the first axes, one row and column larger than their number."""
    affine = np.asarray(affine, dtype=float)
    kept = [*range(axes), affine.shape[0] - 1]
    return affine[np.ix_(kept, kept)]


def _other_shape(label_shape: Sequence[int], shape: Sequence[int]) -> UnusableImageError:
    return UnusableImageError(
        f"has shape {tuple(label_shape)}, but its image has {tuple(shape)}; draw or resample it on the grid of the "
        "image, by nearest neighbour"
    )


def _elsewhere(distance: float, flipped: tuple[int, ...], affine: np.ndarray, label_affine: np.ndarray) -> str:
    spacings = [np.linalg.norm(each[:-1, :-1], axis=0) for each in (label_affine, affine)]
    if not np.allclose(spacings[0], spacings[1], rtol=0.01):
        label, image = (" x ".join(f"{length:.4g}" for length in each) for each in spacings)
        return (
            f"lies on another grid than its image: voxels of {label} mm, those of the image have {image} mm; resample "
            "it to the image by nearest neighbour"
        )
    if flipped:
        names = " and ".join(f"axis {axis + 1}" for axis in flipped)
        return (
            f"has another position than its image (corners are up to {distance:.2f} mm apart): {names} runs the other "
            "way in its header, and its place does not agree; correct its header after looking at both in a viewer"
        )
    return (
        f"has another position or orientation than its image (corners are up to {distance:.2f} mm apart); resample it "
        "to the image, or set match_affine to false if the voxels fit and only the header is wrong"
    )

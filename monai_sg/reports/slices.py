"""Central slices of crops, laid out as a radiologist expects them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike, NDArray

from ..utils.errors import UserError

PLANES = ("axial", "coronal")


@dataclass(frozen=True)
class Slice:
    """A picture whose first row is at the top, with its width and height in mm or voxels and the names of both."""

    pixels: NDArray[np.float32]
    size: tuple[float, float]
    names: tuple[str, str]
    patient: bool

    def show(self, axes: Axes, window: tuple[float, float], colours: str = "gray") -> AxesImage:
        """Draw the picture on ``axes`` with ``window`` as its darkest and brightest value; no ticks."""
        shown = axes.imshow(
            self.pixels,
            cmap=colours,
            vmin=window[0],
            vmax=window[1],
            extent=(0, self.size[0], self.size[1], 0),
            interpolation="nearest",
        )
        axes.set_xticks([])
        axes.set_yticks([])
        return shown

    def scale(self, axes: Axes) -> None:
        """Name both axes and tick their ends; the letter R stands where the patient's right is."""
        axes.set_xticks([0, self.size[0]], ["0", f"{self.size[0]:.0f}"], fontsize=6)
        axes.set_yticks([0, self.size[1]], ["0", f"{self.size[1]:.0f}"], fontsize=6)
        axes.set_xlabel(self.names[0], fontsize=6, labelpad=-4)
        axes.set_ylabel(self.names[1], fontsize=6, labelpad=-4)
        if self.patient:
            axes.text(0.03, 0.97, "R", transform=axes.transAxes, fontsize=6, color="yellow", va="top")


def planes_of(image: ArrayLike) -> tuple[str, ...]:
    """Planes that can be shown: axial and coronal of a volume, ``("image",)`` for a 2D image."""
    return PLANES if np.ndim(image) == 3 else ("image",)


def central_slice(image: ArrayLike, plane: str, spacing: Sequence[float] | None = None) -> Slice:
    """Cut the middle of a crop.

    Args:
        image: (x, y, z) in RAS order, shown with the patient's right at the left and front or head at the top; or a
            2D image (x, y), x to the right and y downwards, shown as it is.
        plane: ``axial`` or ``coronal`` for a volume; a 2D image is shown whole.
        spacing: mm per voxel along each axis; None labels the axes in voxels.

    Raises:
        ValueError: if the image has neither 2 nor 3 axes, or ``spacing`` another number of axes.
    """
    array = np.asarray(image, dtype=np.float32)
    if array.ndim not in (2, 3):
        raise UserError(f"An image of shape {array.shape} cannot be shown; give (x, y) or (x, y, z), no channels.")
    if spacing is not None and len(spacing) != array.ndim:
        raise UserError(f"spacing has {len(spacing)} numbers for an image of shape {array.shape}; give one per axis.")
    unit, steps = ("voxel", [1.0] * array.ndim) if spacing is None else ("mm", [float(step) for step in spacing])
    if array.ndim == 2:
        picture, across, down = array.T, 0, 1
    elif plane == "axial":
        picture, across, down = array[::-1, ::-1, array.shape[2] // 2].T, 0, 1
    else:
        picture, across, down = array[::-1, array.shape[1] // 2, ::-1].T, 0, 2
    size = (array.shape[across] * steps[across], array.shape[down] * steps[down])
    names = (f"{'xyz'[across]} ({unit})", f"{'xyz'[down]} ({unit})")
    return Slice(picture, size, names, patient=array.ndim == 3)

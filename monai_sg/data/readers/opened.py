"""An image whose header has been read: one description, by which it is counted and by which it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from .formats import UnusableImageError
from .shear import PERPENDICULAR, sheared_axis, straight_grid, straighten

MIN_SLICES = 8
MIN_SPACING, MAX_SPACING = 0.02, 30.0
MAX_TILT_DEGREES = 35.0
FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class ImageHeader:
    """Number of voxels and their distance in mm along each of the two or three axes, and bytes of a voxel as stored."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    item_bytes: int = 2
    channels: int = 1

    def stored_bytes(self, spacing: Sequence[float] | None = None) -> int:
        """Return the bytes of the voxels at 16 bit each, at another spacing if one is given."""
        share = 1.0 if spacing is None else prod(self.spacing) / prod(spacing)
        return round(2 * self.channels * prod(self.shape) * share)

    def reading_bytes(self, spacing: Sequence[float] | None = None) -> int:
        """Return about how much memory it takes to read and store the image: as in the file, converted, and stored."""
        voxels = self.channels * prod(self.shape)
        resampling = 0 if spacing is None else 8 * voxels + 6 * self.stored_bytes(spacing)
        return voxels * (2 * max(self.item_bytes, 2) + 2) + self.stored_bytes(spacing) + resampling


@dataclass(frozen=True)
class OpenImage:
    """What the header of an image says, and how its voxels are read.

    Args:
        shape: voxels along the two or three axes.
        affine: 4x4, voxel to RAS mm; of a 2D image the first two diagonal elements are its pixel distances in mm.
        load: returns an array of ``shape``, or ``(*shape, channels)`` where there are several, in any real type.
        channels: values per voxel.
        dtype: type of the values as stored.
        unoriented: why position and direction are not known, if so; `affine` then takes the axes as stored.
        marked: why the file says that it is no image but a label map, if so.
        oddity: what a person should look at.
        codes: sform and qform code of a NIfTI file.
        sheared: shape and affine of the voxels as stored, where they were put on a straight grid.
    """

    shape: tuple[int, ...]
    affine: np.ndarray
    load: Callable[[], np.ndarray]
    channels: int = 1
    dtype: np.dtype = FLOAT
    unoriented: str = ""
    marked: str = ""
    oddity: str = ""
    codes: tuple[int, int] = (1, 1)
    sheared: tuple[tuple[int, ...], np.ndarray] | None = None

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance of the voxels in mm along each axis."""
        return tuple(float(value) for value in np.linalg.norm(self.affine[:3, : len(self.shape)], axis=0))

    @property
    def header(self) -> ImageHeader:
        """Shape, spacing and bytes of a voxel."""
        return ImageHeader(self.shape, self.spacing, self.dtype.itemsize, self.channels)

    def read(self) -> np.ndarray:
        """Return the values.

        Raises:
            UnusableImageError: they have another shape than the header says.
        """
        values = self.load()
        wanted = (*self.shape, self.channels) if self.channels > 1 else self.shape
        if values.shape != wanted:
            raise UnusableImageError(f"holds voxels of shape {values.shape}, but its header says {wanted}")
        return values


def opened(
    shape: Sequence[int],
    affine: np.ndarray,
    load: Callable[[], np.ndarray],
    channels: int = 1,
    dtype: np.dtype = FLOAT,
    **more: Any,
) -> OpenImage:
    """Describe an image by the rules that hold for all formats.

    An axis of one voxel is dropped: what has two others is a picture. Sheared volumes are put on a straight grid.

    Args:
        shape: spatial axes, two or three.
        affine: 4x4, voxel to RAS mm.
        load: see `OpenImage`; its array may have the axes that are dropped.
        channels: see `OpenImage`.
        dtype: type of the values as stored.
        more: further attributes of `OpenImage`.

    Raises:
        UnusableImageError: a shape that is neither a picture nor a volume of enough slices, a spacing that no scan has,
            or axes that cannot be straightened.
    """
    shape = tuple(map(int, shape))
    kept = [axis for axis, length in enumerate(shape) if length > 1]
    if len(shape) > 3 or len(kept) < 2:
        raise UnusableImageError(f"has shape {shape}; an image has two or three axes of more than one voxel")
    if len(kept) == 3 and min(shape) < MIN_SLICES:
        raise UnusableImageError(f"has shape {shape}: {min(shape)} slices, at least {MIN_SLICES} are needed")
    _check_affine(affine, shape)
    lengths = np.linalg.norm(affine[:3, kept], axis=0)
    _check_spacing(lengths)
    if len(kept) == 2:
        flat = tuple(shape[axis] for axis in kept)
        wanted = (*flat, channels) if channels > 1 else flat
        affine = np.diag([*lengths, 1.0, 1.0])
        return OpenImage(flat, affine, lambda: _dropped(load(), shape, wanted), channels, dtype, **more)
    image = OpenImage(shape, affine, load, channels, dtype, **more)
    return image if sheared_axis(affine) is None else _straightened(image)


def _dropped(values: np.ndarray, shape: tuple[int, ...], wanted: tuple[int, ...]) -> np.ndarray:
    """Drop axes of one voxel; what has another shape than the header says stays as it is, to be refused."""
    return values.reshape(wanted) if values.shape[: len(shape)] == shape else values


def _straightened(image: OpenImage) -> OpenImage:
    """Return a sheared volume as it is on a straight grid."""
    axis = sheared_axis(image.affine)
    columns = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    cosines = np.abs(columns.T @ columns - np.eye(3))
    others = [other for other in range(3) if other != axis]
    degrees = float(np.degrees(np.arcsin(min(1.0, cosines.max()))))
    if axis is None or cosines[others[0], others[1]] > PERPENDICULAR or degrees > MAX_TILT_DEGREES:
        raise UnusableImageError(
            f"has sheared axes ({degrees:.1f} degrees), more than a tilted gantry gives; resample it to a straight grid"
        )
    if image.channels > 1:
        raise UnusableImageError(f"has sheared axes ({degrees:.1f} degrees) and {image.channels} channels; split them")
    shape, affine = straight_grid(image.shape, image.affine)
    note = f"its axes are sheared by {degrees:.1f} degrees; it is put on a straight grid"
    return replace(
        image,
        shape=shape,
        affine=affine,
        load=lambda: straighten(image.read(), image.affine),
        oddity="; ".join(filter(None, [image.oddity, note])),
        sheared=(image.shape, image.affine),
    )


def _check_affine(affine: np.ndarray, shape: Sequence[int]) -> None:
    matrix = affine[: len(shape), : len(shape)] if len(shape) == 2 else affine[:3, :3]
    if not np.isfinite(affine).all() or abs(np.linalg.det(matrix)) < 1e-30:
        raise UnusableImageError("has no usable orientation: the affine of its header is singular or not finite")


def _check_spacing(lengths: np.ndarray) -> None:
    if lengths.min() < MIN_SPACING or lengths.max() > MAX_SPACING:
        raise UnusableImageError(
            f"has a spacing of {' x '.join(f'{length:.6g}' for length in lengths)} mm, but that of scans lies between "
            f"{MIN_SPACING:g} and {MAX_SPACING:g} mm; correct it, or its unit, in the header"
        )

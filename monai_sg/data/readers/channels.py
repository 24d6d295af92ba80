"""Channels of one image: in one file, or in several on the same grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from .formats import UnusableImageError
from .reading import StoredImage, read_image

SAME_PLACE = 0.02
"""Largest distance between the voxels of two channels, in voxels."""


def read_on_one_grid(
    sources: Sequence[Path], series: str | None = None, is_label: bool = False, unoriented: bool = False
) -> list[StoredImage]:
    """Read the sources of one image, each with one or more channels.

    Args:
        sources: files or folders.
        series: see `read_image`; for a single source.
        is_label: see `read_image`.
        unoriented: see `read_image`.

    Raises:
        UnusableImageError: one of them cannot be used, or they are not on one grid.
    """
    own = series if len(sources) == 1 else None
    images = [read_image(source, own, is_label, unoriented) for source in sources]
    for source, image in zip(sources[1:], images[1:], strict=True):
        if difference := _difference(images[0], image):
            raise UnusableImageError(
                f"has channels on different grids: {source.name} has another {difference} than {sources[0].name}; "
                "resample them to one grid"
            )
    return images


def split_channels(image: StoredImage) -> list[np.ndarray]:
    """Return the channels ``(*spatial)`` of an image.

    Raises:
        UnusableImageError: one of several has a single value.
    """
    if image.values.ndim == image.num_axes:
        return [image.values]
    channels = list(np.moveaxis(image.values, -1, 0))
    for number, values in enumerate(channels):
        if values.min() == values.max():
            raise UnusableImageError(f"has the same value {values.min():g} in every voxel of channel {number}")
    return channels


def joined_channels(images: Sequence[StoredImage]) -> StoredImage:
    """Return images on one grid as one, channels last."""
    if len(images) == 1:
        return images[0]
    first = images[0]
    shape = first.values.shape[: first.num_axes]
    values = np.concatenate([image.values.reshape(*shape, -1) for image in images], axis=-1)
    return replace(first, values=values)


def _difference(first: StoredImage, other: StoredImage) -> str:
    """Return what differs between the grids of two images, or nothing."""
    shapes = [image.values.shape[: image.num_axes] for image in (first, other)]
    if shapes[0] != shapes[1]:
        return "shape"
    corners = [[*corner, 1] for corner in product(*((0, length - 1) for length in (*shapes[0], 1)[:3]))]
    distances = np.linalg.norm((first.affine - other.affine)[:3] @ np.transpose(corners), axis=0)
    finest = np.linalg.norm(first.affine[:3, : first.num_axes], axis=0).min()
    return "position or orientation" if distances.max() > SAME_PLACE * finest else ""

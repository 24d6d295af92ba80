"""Label maps on the grid of their image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..cache.index import CacheEntry
from ..readers.formats import UnusableImageError
from ..readers.reading import read_image


def labels_on_image(path: str | Path, entry: CacheEntry) -> NDArray[np.int32]:
    """Read a label map onto the voxels of a cached image, by nearest neighbour; 0 where it does not reach.

    Raises:
        UnusableImageError: it cannot be used, or holds values that are not whole.
    """
    try:
        stored = read_image(Path(path), is_label=True)
        values = stored.values.astype(np.int32)
        if stored.values.ndim != stored.num_axes or not np.array_equal(values, stored.values):
            raise UnusableImageError("holds values that are not whole; a label map holds whole numbers")
    except UnusableImageError as error:
        raise UnusableImageError(f"The label map {path} {error}") from error
    axes = len(entry.shape)
    to_map = np.linalg.inv(stored.affine) @ np.asarray(entry.affine)
    return np.asarray(
        ndimage.affine_transform(
            *(values, to_map[:axes, :axes], to_map[:axes, 3]),
            output_shape=entry.shape,
            order=0,
            mode="grid-constant",  # "constant" would lose the outer half of the voxels at the border
        )
    )

"""Label maps on the grid of their image, read or cached."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ..label_values import whole_values
from ..readers.formats import UnusableImageError
from ..readers.reading import read_image
from ..records import Record
from .filling import CacheFiller, Need
from .index import LABEL_VERSION, CacheEntry, LabelEntry, fingerprint_of

READING_BYTES = 20
"""Memory per voxel: as in the file, as whole numbers, and laid on the image."""


def labels_on_image(path: str | Path, entry: CacheEntry) -> NDArray[np.int32]:
    """Read a label map onto the voxels of a cached image, by nearest neighbour; 0 where it does not reach.

    Raises:
        UnusableImageError: it cannot be used, holds values that are not whole, or lies beside the image.
    """
    try:
        return _on_image(Path(path), entry)
    except UnusableImageError as error:
        raise UnusableImageError(f"The label map {path} {error}") from error


def _on_image(path: Path, entry: CacheEntry) -> NDArray[np.int32]:
    """Lay a label map on the voxels of an image; the reason of an error reads well after the path."""
    stored = read_image(path, is_label=True)
    if stored.values.ndim != stored.num_axes:
        raise UnusableImageError(f"has {stored.values.shape[-1]} channels; a label map has one")
    values = whole_values(torch.from_numpy(np.ascontiguousarray(stored.values))).numpy().astype(np.int32)
    axes = len(entry.shape)
    to_map = np.linalg.inv(stored.affine) @ np.asarray(entry.affine)
    labels = ndimage.affine_transform(
        *(values, to_map[:axes, :axes], to_map[:axes, 3]),
        output_shape=entry.shape,
        order=0,
        mode="grid-constant",  # "constant" would lose the outer half of the voxels at the border
    )
    if values.any() and not labels.any():
        raise UnusableImageError("has labels, but none of them lies on its image")
    return np.asarray(labels)


class LabelFiller(CacheFiller[LabelEntry]):
    """Makes the label maps that a cache lacks, each on the grid of its cached image.

    Args:
        dataset_dir: folder that the records' paths are relative to.
        cache_dir: folder of the cache.
        images: the cached image of each id.
        num_workers: threads that read label maps.
        progress: show a bar.
    """

    kind = LabelEntry
    version = LABEL_VERSION
    index_name = "labels.json"
    what = "label maps"

    def __init__(
        self,
        dataset_dir: Path,
        cache_dir: Path,
        images: Mapping[str, CacheEntry],
        num_workers: int = 2,
        progress: bool = True,
    ) -> None:
        super().__init__(dataset_dir, cache_dir, num_workers, progress)
        self.images = images

    def fingerprint(self, record: Record) -> dict[str, Any]:
        """Return what has to stay the same: the file of the label map, and the cached image with its grid."""
        file = fingerprint_of({"image": record["label"]}, self.dataset_dir, None)
        return {**file, "image": self.images[record["id"]].key}

    def source(self, record: Record) -> str:
        """Return the path of the label map."""
        return str(record["label"])

    def make(self, key: str, record: Record) -> tuple[np.ndarray, LabelEntry]:
        """Lay the label map on its image; return it in the smallest type of integers that holds it."""
        image = self.images[record["id"]]
        labels = _on_image(self.dataset_dir / record["label"], image)
        values = np.unique(labels).tolist()
        array = np.ascontiguousarray(labels.astype(np.result_type(*map(np.min_scalar_type, (values[0], values[-1])))))
        source = (str(record["label"]),)
        return array, LabelEntry(key, record["id"], source, image.shape, array.dtype.name, values)

    def need(self, record: Record) -> Need:
        """Return the bytes of the voxels at 8 bit each, and what reading them takes."""
        voxels = prod(self.images[record["id"]].shape)
        return Need(voxels, READING_BYTES * voxels)

"""Coordinates that mean the same place in every patient."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.boxes.geometry import crop_shapes, fit_boxes, grid_spacing, stack_geometry
from ..data.cache.index import CacheEntry
from ..data.cache.volume_cache import VolumeCache
from ..utils.errors import UserError

logger = logging.getLogger(__name__)

FRAMES = ("voxel", "fov", "body", "lung")
_LUNG_SHARE = 0.9


@dataclass(frozen=True)
class Frames:
    """The frame and the crop's shape of every image of a cohort, as arrays of N rows and d axes.

    An anchor ``u`` (d) is the place ``start + u * length`` of the crop's centre in voxels. In the frames ``fov``,
    ``body`` and ``lung``, ``u`` in [0, 1] spans the field of view or the bounding box, and a crop covers the same mm in
    every image; in ``voxel``, ``u`` is the corner of the crop, and a crop has the same voxels in every image.
    """

    name: str
    ids: list[str]
    starts: NDArray[np.float64]
    lengths: NDArray[np.float64]
    shapes: NDArray[np.int64]
    spacings: NDArray[np.float64]
    sizes: NDArray[np.int64]
    crop_size: tuple[int, ...]
    grid: NDArray[np.float64]

    @property
    def crop_mm(self) -> NDArray[np.float64]:
        """Edges of a crop (d) in mm."""
        return np.asarray(self.crop_size * self.grid, dtype=np.float64)

    @property
    def units(self) -> NDArray[np.float64]:
        """What one unit of an anchor measures (N, d): mm, or voxels in the frame ``voxel``."""
        return self.lengths if self.name == "voxel" else self.lengths * self.spacings

    @property
    def crop_units(self) -> NDArray[np.float64]:
        """Edges of a crop (d) in mm, or in voxels in the frame ``voxel``."""
        return np.asarray(self.crop_size, dtype=np.float64) if self.name == "voxel" else self.crop_mm

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of each id."""
        row_of = {name: row for row, name in enumerate(self.ids)}
        return np.asarray([row_of[name] for name in ids], dtype=np.int64)

    def boxes(
        self, anchors: ArrayLike, rows: ArrayLike, factors: ArrayLike = 1.0, shifts: ArrayLike = 0.0
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the boxes of every anchor in every image of ``rows``, kept inside the images.

        Args:
            anchors: (A, d).
            rows: (n) rows of the cohort.
            factors: the box's edges as multiples of the crop's, broadcast to (A, n, d).
            shifts: displacement of the centre as a multiple of the crop's edges, broadcast to (A, n, d).

        Returns:
            boxes (A, n, d, 2) in voxels, half-open, and whether each is padded (A, n).
        """
        chosen = np.asarray(rows, dtype=np.int64)
        sizes, shapes = self.sizes[chosen], self.shapes[chosen]
        centres = self.starts[chosen] + np.asarray(anchors, dtype=np.float64)[:, None] * self.lengths[chosen]
        scaled = np.maximum(np.floor(sizes * np.asarray(factors, dtype=np.float64) + 0.5).astype(np.int64), 1)
        scaled = np.broadcast_to(scaled, centres.shape)
        return fit_boxes(centres + np.asarray(shifts, dtype=np.float64) * sizes, scaled, shapes)

    def anchor_range(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lowest and highest anchor (d) whose crop lies inside image and frame of one row.

        On an axis where the image is shorter than the crop both are the image's middle.
        """
        half, start, length, shape = self.sizes[row] / 2, self.starts[row], self.lengths[row], self.shapes[row]
        low, high = (half - start) / length, (shape - half - start) / length
        if self.name != "voxel":
            low, high = np.maximum(low, 0), np.minimum(high, 1)
        middle = (shape / 2 - start) / length
        room = low <= high
        return np.where(room, low, middle), np.where(room, high, middle)

    def extent_mm(self, row: int) -> NDArray[np.float64]:
        """Return the edges (d) of one image's frame in mm; of the whole image for the frame ``voxel``."""
        voxels = self.shapes[row] if self.name == "voxel" else self.lengths[row]
        return np.asarray(voxels * self.spacings[row], dtype=np.float64)


def choose_frame(cache: VolumeCache, ids: Sequence[str], frame: str = "auto") -> str:
    """Resolve ``auto`` to ``lung`` where lungs were found in at least 90 % of the images, else to ``body``.

    Raises:
        ValueError: for an unknown name.
    """
    if frame in FRAMES:
        return frame
    if frame != "auto":
        raise UserError(f"frame = {frame!r} is unknown; use one of {('auto', *FRAMES)}.")
    found = sum(cache.entry(name).lung_box is not None for name in ids)
    chosen = "lung" if ids and found >= _LUNG_SHARE * len(ids) else "body"
    logger.info("Lungs were found in %d of %d images, so coordinates are relative to the %s.", found, len(ids), chosen)
    return chosen


def make_frames(
    cache: VolumeCache, ids: Sequence[str], frame: str, crop_size: Sequence[int], grid: ArrayLike | None = None
) -> Frames:
    """Collect the frames of the images that have one; the others are left out with a sentence in the log.

    An image without lungs has no place for a lung coordinate, and its body box would put other anatomy under the same
    label, so there is no fall-back.

    Args:
        cache: the cached images.
        ids: the images.
        frame: ``voxel``, ``fov``, ``body`` or ``lung``.
        crop_size: voxels of a crop on the grid.
        grid: spacing of the crops in mm; ``None`` is the median of these images.
    """
    entries = [cache.entry(name) for name in ids]
    framed = [entry for entry in entries if _extent(entry, frame) is not None]
    if len(framed) < len(entries):
        kept = {entry.id for entry in framed}
        lost = [name for name in ids if name not in kept]
        logger.warning("%d images without a %s box are left out of the discovery: %s", len(lost), frame, lost[:10])
    shapes, spacings = stack_geometry(framed, len(crop_size))
    spacing = np.asarray(grid, dtype=np.float64) if grid is not None else grid_spacing(spacings)
    sizes = crop_shapes(crop_size, spacing, spacings if frame != "voxel" else np.broadcast_to(spacing, shapes.shape))
    extents = np.asarray([_extent(entry, frame) for entry in framed], dtype=np.float64).reshape(*shapes.shape, 2)
    starts, lengths = extents[..., 0], extents[..., 1] - extents[..., 0]
    if frame == "voxel":
        starts, lengths = sizes / 2, np.ones_like(lengths)
    names = [entry.id for entry in framed]
    return Frames(frame, names, starts, lengths, shapes, spacings, sizes, tuple(crop_size), spacing)


def _extent(entry: CacheEntry, frame: str) -> list[list[int]] | None:
    """Return the frame's box in voxels, or ``None`` where the image has none or it is empty."""
    boxes = {"body": entry.body_box, "lung": entry.lung_box}
    box = boxes.get(frame, [[0, length] for length in entry.shape])
    return box if box is not None and all(stop > start for start, stop in box) else None

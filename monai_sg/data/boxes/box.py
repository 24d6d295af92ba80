"""A box of an image: where it lies, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypedDict

import numpy as np

Extent = list[list[int]]
"""Voxels of a cached array, ``[[start, stop], ...]``, half-open, one pair per axis."""


class Placed(TypedDict):
    """A part of an image: ``id`` of the image; ``box`` in voxels of its cached array, or ``None`` for the whole."""

    id: str
    box: Extent | None


class Box(Placed, total=False):
    """What crops are read by: a row of ``patterns.json``, of a CSV file, or drawn; a dictionary, as MONAI wants it.

    ``label`` is the number of a class, ``group`` what a box belongs to (such as ``training`` and ``test``), ``scale``
    the resolution of a pattern from 1, ``padded`` whether the box leaves its image.
    """

    label: int
    group: str
    scale: int
    padded: bool


class BoxSource(Protocol):
    """What boxes are read from: a `VolumeCache`, or crops that were released as arrays."""

    def read_box(self, name: str, box: Sequence[Sequence[int]], size: Sequence[int] | None = None) -> np.ndarray:
        """Return a part of an image in physical units, resized to ``size``; channels first where there are several."""

    def overview(self, name: str, size: Sequence[int]) -> np.ndarray:
        """Return a whole image, resized to ``size``; channels first where there are several."""


class LabelSource(Protocol):
    """What boxes of label maps are read from: a `VolumeCache` that was opened with them."""

    def read_label_box(self, name: str, box: Sequence[Sequence[int]], size: Sequence[int] | None = None) -> np.ndarray:
        """Return a part of a label map, resized to ``size`` by the nearest voxel."""

"""Bounding boxes of the body and of the lungs, found on a coarse grid by thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ..intensity import HU_AIR

Box = list[list[int]]

COARSE_MM = 4.0
BODY_HU = -300.0
LUNG_HU = -400.0
LUNG_COMPONENT_ML = 150.0
LUNG_TOTAL_ML = 1000.0
LUNG_HEIGHT_MM = 60.0
LUNG_CUT = 0.01
LUNG_SIDE = 0.1
THIN = 0.02
PURE_AIR_HU = -960.0
FOREGROUND = 0.1


def find_boxes(image: np.ndarray, spacing: Sequence[float], scale: float, offset: float) -> tuple[Box, Box | None]:
    """Return the box of the body, and of the lungs if the image is a CT that shows them.

    Every n-th voxel of each axis is looked at, n such that the distance is about 4 mm.

    Args:
        image: stored values of a 2D image or a RAS volume; physical values are ``image * scale + offset``.
        spacing: mm per axis.
        scale: see ``image``.
        offset: see ``image``.

    Returns:
        half-open boxes ``[[start, stop], ...]`` in voxels; the whole image where no body is found, ``None`` where no
        lungs are found.
    """
    steps = [max(1, round(COARSE_MM / distance)) for distance in spacing]
    coarse = image[tuple(slice(None, None, step) for step in steps)].astype(np.float32) * scale + offset
    is_ct = shows_ct(coarse)
    body = body_mask(coarse) if is_ct else _foreground(coarse)
    body_box = _box(body, steps, image.shape) or [[0, length] for length in image.shape]
    if not is_ct:
        return body_box, None
    distances = [step * distance for step, distance in zip(steps, spacing, strict=True)]
    return body_box, _box(lung_mask(coarse, body, distances), steps, image.shape)


def shows_ct(values: np.ndarray) -> bool:
    """Return whether physical values are HU of a volume: three axes, some air (-500 or less), something above water."""
    return values.ndim == 3 and bool(values.min() <= HU_AIR and values.max() > 0)


def body_mask(hounsfield: np.ndarray) -> np.ndarray:
    """Return the body without the table, its cavities filled slice by slice.

    Opening cuts thin structures (table, tubes, clothes) off; the largest remaining part, grown back by the same amount
    inside the threshold, is the body.

    Args:
        hounsfield: CT volume in HU, RAS, voxels of about 4 mm.
    """
    solid = hounsfield > BODY_HU
    opened = _largest(ndimage.binary_opening(np.pad(solid, 1, mode="edge"))[1:-1, 1:-1, 1:-1])
    body = ndimage.binary_dilation(opened, iterations=2) & solid
    return np.stack([_fill(body[..., index]) for index in range(body.shape[2])], axis=2)


def _fill(body: np.ndarray) -> np.ndarray:
    """Fill the holes of a slice; where the body leaves the image, the edge between its ends counts as body."""
    walled = np.pad(body, 1, mode="edge")
    for edge in (walled[0], walled[-1], walled[:, 0], walled[:, -1]):
        found = np.flatnonzero(edge)
        if found.size:
            edge[found[0] : found[-1] + 1] = True
    return ndimage.binary_fill_holes(walled)[1:-1, 1:-1]


def lung_mask(hounsfield: np.ndarray, body: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Return the aerated lungs, or an empty mask if what is found has not the size of lungs.

    Lungs are connected air inside the body, of at least 150 ml per part, not cut by the sides of the image (at most 1 %
    of the part lies there), not mostly pure air (bowel gas, the outside), together at least 1000 ml and 60 mm high,
    with at least a tenth on each side of the body's median sagittal plane (a box around one lung would mislead).

    Args:
        hounsfield: CT volume in HU, RAS.
        body: filled mask of the body.
        spacing: mm per axis.
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    labels, number = ndimage.label((hounsfield < LUNG_HU) & body)
    sides = np.concatenate([labels[[0, -1]].ravel(), labels[:, [0, -1]].ravel()])
    sizes = np.bincount(labels.ravel(), minlength=number + 1)
    cut = np.bincount(sides, minlength=number + 1) / np.maximum(sizes, 1)
    kept = [
        part
        for part in range(1, number + 1)
        if cut[part] <= LUNG_CUT
        and sizes[part] * voxel_ml >= LUNG_COMPONENT_ML
        and (hounsfield[labels == part] < PURE_AIR_HU).mean() < 0.5
    ]
    lungs = np.isin(labels, kept)
    height = lungs.any(axis=(0, 1)).sum() * spacing[2]
    if lungs.sum() * voxel_ml < LUNG_TOTAL_ML or height < LUNG_HEIGHT_MM:
        return np.zeros_like(lungs)
    middle = int(np.median(np.nonzero(body)[0]))
    right = lungs[:middle].sum() / lungs.sum()
    return lungs if LUNG_SIDE <= right <= 1 - LUNG_SIDE else np.zeros_like(lungs)


def _foreground(image: np.ndarray) -> np.ndarray:
    """Return the largest part brighter than a tenth of the way from the darkest to the 99th percentile."""
    low, high = float(image.min()), float(np.percentile(image, 99))
    return _largest(image > low + FOREGROUND * (high - low))


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, number = ndimage.label(mask)
    if number == 0:
        return np.zeros_like(mask)
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))


def _box(mask: np.ndarray, steps: Sequence[int], shape: Sequence[int]) -> Box | None:
    """Return the bounding box of a coarse mask in voxels of the full image, or ``None`` if the mask is empty.

    Ends where the mask has less than 2 % of its largest cross-section (the trachea above the lungs, a line or an
    elbow beside the body) do not count.
    """
    if not mask.any():
        return None
    box = []
    for axis, (step, length) in enumerate(zip(steps, shape, strict=True)):
        area = mask.sum(axis=tuple(other for other in range(mask.ndim) if other != axis))
        kept = np.flatnonzero(area >= THIN * area.max())
        box.append([int(kept[0]) * step, min((int(kept[-1]) + 1) * step, length)])
    return box

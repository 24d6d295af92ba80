"""A phantom cohort whose scans differ as those of several scanners do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.phantom.body import make_phantom
from ...data.phantom.ct import series_uid
from ...data.phantom.nifti import write_nifti
from ...utils.seeds import seed_for

SHAPES = ((72, 56, 56), (80, 64, 64), (96, 76, 76))
AIR_HU = -1000
WIDENED = 0.15
SHORTENED = 0.15


def write_varied_phantoms(
    folder: str | Path, patients: int = 24, seed: int = 0, shapes: Sequence[Sequence[int]] = SHAPES
) -> Path:
    """Write phantom CT scans with organ maps that differ in voxel size, field of view and position of the patient.

    The scans of `write_ct_cohort` all show about the same 372 x 288 x 294 mm around the patient. Here patients take
    turns between three voxel sizes; on each side in plane, air of up to 15 % of the width is added, and from each end
    up to 15 % of the height is cut off, so that the tops of some lungs are missing.

    Args:
        folder: gets ``images/<uid>.nii.gz`` and ``labels/<uid>.nii.gz`` with the organ numbers of `ORGANS`; files of
            the same name are replaced.
        patients: number of patients, one scan each.
        seed: number of the cohort.
        shapes: voxels of an average scan before that, for one patient after the other; they say the voxel size.

    Returns:
        ``folder``.
    """
    folder = Path(folder)
    for number in range(patients):
        phantom = make_phantom(seed, number, shapes[number % len(shapes)])
        draw = np.random.default_rng(seed_for("varied phantom", seed, number))
        low, high = draw.uniform(0, 1, (2, 3)) * [WIDENED, WIDENED, -SHORTENED] * phantom.hu.shape
        margins = np.rint(np.stack([low, high], axis=1)).astype(np.int64)
        affine = phantom.affine.copy()
        affine[:3, 3] -= affine[:3, :3] @ margins[:, 0]
        name = f"{series_uid(seed, number)}.nii.gz"
        write_nifti(folder / "images" / name, reframed(phantom.hu, margins, AIR_HU), affine)
        write_nifti(folder / "labels" / name, reframed(phantom.labels, margins, 0), affine)
    return folder


def reframed(array: NDArray[np.generic], margins: NDArray[np.int64], fill: int) -> NDArray[np.generic]:
    """Add margins (d, 2) of ``fill`` to the two ends of each axis, or cut off as much where they are negative."""
    wide = np.pad(array, np.maximum(margins, 0), constant_values=fill)
    cut = np.maximum(-margins, 0)
    return wide[tuple(slice(low, length - high) for (low, high), length in zip(cut, wide.shape, strict=True))]

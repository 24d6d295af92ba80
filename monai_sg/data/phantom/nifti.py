"""NIfTI files that are either complete or absent."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from ...utils.files import write_atomic


def write_nifti(path: Path, array: NDArray[np.generic], affine: NDArray[np.float64]) -> Path:
    """Write an image as NIfTI atomically; the same image gives the same bytes.

    Args:
        path: ``.nii``, or ``.nii.gz`` to compress it.
        array: the voxels.
        affine: voxel to world in mm, RAS.

    Returns:
        ``path``.
    """
    content = nibabel.Nifti1Image(array, affine).to_bytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, compresslevel=1, mtime=0)
    return write_atomic(path, lambda file: file.write(content))

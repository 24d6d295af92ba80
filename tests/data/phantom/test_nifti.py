from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_sg.data.phantom.nifti import write_nifti


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2)])
def test_an_image_comes_back_and_is_written_the_same_way(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    array, affine = np.arange(np.prod(shape), dtype=np.int16).reshape(shape), np.diag([1.0, 2.0, 3.0, 1.0])
    path = write_nifti(tmp_path / "new" / name, array, affine)
    image = nibabel.load(path)
    assert np.array_equal(np.asarray(image.dataobj), array)
    assert np.array_equal(image.affine, affine)
    assert write_nifti(tmp_path / name, array, affine).read_bytes() == path.read_bytes()

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import EnsureChannelFirst

from monai_sg.data.images import LoadRecordd, image_records
from monai_sg.data.scan import scan_folder
from tests.data.conftest import WriteSeries


def test_each_series_of_a_folder_is_read_under_its_own_id(tmp_path: Path, write_series: WriteSeries) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-900, 900, (16, 12, 9), dtype=np.int16) for _ in range(2)]
    wanted = {write_series(tmp_path / "scan", array, suffix=f"_{n}.dcm"): array for n, array in enumerate(arrays)}
    records = image_records(scan_folder(tmp_path, progress=False), tmp_path)
    assert {record["series"] for record in records} == set(wanted)
    for record in records:
        image = EnsureChannelFirst()(LoadRecordd("image")(record)["image"])
        assert image.meta["filename_or_obj"] == record["id"]
        np.testing.assert_array_equal(image[0], wanted[record["series"]])


def test_a_file_keeps_its_own_axes(tmp_path: Path) -> None:
    array = np.arange(16 * 12 * 9, dtype=np.int16).reshape(16, 12, 9)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, -2.0, 3.0, 1.0])), tmp_path / "image.nii.gz")
    (record,) = image_records(scan_folder(tmp_path, progress=False), tmp_path)
    assert "series" not in record
    image = LoadRecordd("image")(record)["image"]
    np.testing.assert_array_equal(image, array)
    assert image.affine.diagonal().tolist() == pytest.approx([-1, -2, 3, 1])

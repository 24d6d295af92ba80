"""Scan and cache of public images; the boxes of the lungs were checked by eye once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from monai_sg.data.cache import VolumeCache, open_cache
from monai_sg.data.scan import scan_folder


def _open(folder: Path, cache_dir: Path) -> VolumeCache:
    return open_cache(scan_folder(folder, progress=False), folder, cache_dir, progress=False)


@pytest.mark.parametrize(
    ("folder", "with_lungs"),
    [
        ("ct_chest_abdomen", {"CRLM-CT-1004", "LIDC-IDRI-0314", "Lung_Dx-A0001"}),
        ("ct_chest_abdomen2", {"CMB-CRC-MSB-01068", "LungFCP-01-0001"}),
        ("ct_nsclc_nc", {"LUNG1-002"}),
        ("ct_sts_tumour/imagesTr", set()),
    ],
)
def test_lungs_are_found_where_they_are(real_data: Path, tmp_path: Path, folder: str, with_lungs: set[str]) -> None:
    cache = _open(real_data / folder, tmp_path)
    assert cache.skipped == {}
    assert {name for name in cache.ids if cache.entry(name).lung_box} == with_lungs
    for name in cache.ids:
        assert cache.entry(name).dtype == "int16"
        assert -1100 <= cache.entry(name).minimum <= -900


def test_lung_box_holds_the_drawn_lungs(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "ct_nsclc_nc"
    entry = _open(folder, tmp_path / "images").entry("LUNG1-002")
    label = _open(folder / "labels", tmp_path / "labels").array("LUNG1-002")
    assert entry.lung_box is not None
    lungs = np.isin(label, (1, 2))
    inside = lungs[tuple(slice(start, stop) for start, stop in entry.lung_box)]
    assert inside.sum() / lungs.sum() > 0.97
    edges = [np.flatnonzero(lungs.any(axis=axes))[[0, -1]] + [0, 1] for axes in ((1, 2), (0, 2), (0, 1))]
    np.testing.assert_allclose(entry.lung_box, edges, atol=8)  # voxels of 2 x 2 x 3 mm


def test_mhd_of_luna(real_data: Path, tmp_path: Path) -> None:
    cache = _open(real_data / "lidc_nodules", tmp_path)
    assert len(cache) == 2
    assert all(cache.entry(name).lung_box for name in cache.ids)


def test_dicom_and_nifti_of_one_scan_agree(real_data: Path, tmp_path: Path) -> None:
    series = _open(real_data / "dicom/ct_sts019_with_rtstruct", tmp_path / "dicom")
    halved = _open(real_data / "ct_sts_tumour/imagesTr", tmp_path / "nifti").array("STS_019")
    means = series.array("image").reshape(68, 2, 67, 2, 47).mean(axis=(1, 3))
    np.testing.assert_allclose(means, halved, atol=0.5)


def test_every_reason_names_the_trouble(real_data: Path) -> None:
    datalist = scan_folder(real_data / "dicom", progress=False)
    reasons = {item["path"]: item["reason"] for item in datalist.skipped}
    expected = {
        "odd_ct_gantry_tilt_variable_gap": "a gantry tilt of 18.5 degrees",
        "odd_ct_missing_and_duplicate_slices.zip": "is an archive",
        "ct_sts019_with_rtstruct/rtstruct/rtstruct.dcm": "RTSTRUCT",
        "odd_pydicom/eCT_multiframe.dcm": "multi-frame DICOM file (2 frames)",
        "odd_pydicom/liver_1frame.dcm": "segmentation (SEG)",
        "cxr_siim/same_image_as_MONOCHROME1.dcm": "2D image",
    }
    assert {path: expected[path] in reasons[path] for path in expected} == dict.fromkeys(expected, True)
    assert {record["id"] for record in datalist.records} == {
        "ct_j2k_20slices",
        "ct_lidc0002_12slices",
        "ct_sts019_with_rtstruct_image",
        "mr_hippocampus_crop_A",
    }


def test_missing_and_duplicate_slices(real_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(real_data / "dicom/odd_ct_missing_and_duplicate_slices.zip") as archive:
        archive.extractall(tmp_path)
    with pytest.raises(ValueError, match=r"has duplicate slices \(2 at -90.00 mm\) and a variable distance"):
        scan_folder(tmp_path, progress=False)


def test_odd_nifti(real_data: Path, tmp_path: Path) -> None:
    datalist = scan_folder(real_data / "nifti_odd", progress=False)
    reasons = {item["path"]: item["reason"] for item in datalist.skipped}
    assert "4 axes (64, 64, 24, 25)" in reasons["asl_4d.nii.gz"]
    assert "complex" in reasons["complex_dtype.nii.gz"]
    assert "RGB" in reasons["ct_perfusion_rgb24.nii.gz"]
    assert "sheared axes (18.5 degrees" in reasons["sheared_affine.nii.gz"]
    assert "cut short" in reasons["truncated_download.nii.gz"]
    cache = open_cache(datalist, real_data / "nifti_odd", tmp_path, progress=False)
    turned = [cache.array(f"orientation_{axes}") for axes in ("LSA", "RPS", "AIL")]
    np.testing.assert_array_equal(turned[0], turned[1])
    np.testing.assert_array_equal(turned[0], turned[2])


def test_films_with_patients_in_their_names(real_data: Path) -> None:
    folder = real_data / "cxr_nih256" / "images"
    datalist = scan_folder(folder, patient_pattern=r"^(\d+)_", progress=False)
    assert len(datalist.records) == 560
    assert len({record["patient"] for record in datalist.records}) == 402
    datalist.check("cxr_nih256")


def test_four_channels_are_refused(real_data: Path) -> None:
    with pytest.raises(ValueError, match=r"4 axes .*: several channels or time points"):
        scan_folder(real_data / "brain_tumour_4ch", progress=False)

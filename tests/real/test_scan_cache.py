"""Scan and cache of public images; the boxes of the lungs were checked by eye once."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.datasets.walking import walk_files
from monai_sg.data.readers.volumes import read_volume


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
        assert -1100 <= cache.entry(name).minima[0] <= -900


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


def _listing(folder: Path, cache_dir: Path) -> dict[str, object]:
    """Return for each image of a folder the shape of its array, and the reason for everything else."""
    datalist = scan_folder(folder, progress=False, spatial_dims=3)
    cache = open_cache(datalist, folder, cache_dir, progress=False)
    assert cache.skipped == {}
    used = {record["image"]: cache.entry(record["id"]).shape for record in datalist.records}
    names = [item["path"] for item in datalist.skipped]
    for item in datalist.skipped:  # several series of one folder are told apart by their kind
        many = names.count(item["path"]) > 1
        used[f"{item['path']} {item['reason'].split()[0]}" if many else item["path"]] = item["reason"]
    return used


def _compare(listing: dict[str, object], expected: dict[str, object]) -> None:
    assert set(listing) == set(expected)
    for name, wanted in expected.items():
        found = listing[name]
        assert wanted in found if isinstance(found, str) else wanted == found, (name, found)


def test_every_dicom_entry_is_used_or_named_with_its_reason(real_data: Path, tmp_path: Path) -> None:
    expected: dict[str, object] = {
        "ct_j2k_20slices": (512, 512, 20),
        "ct_lidc0002_12slices": (512, 512, 12),
        "ct_sts019_with_rtstruct/image": (136, 134, 47),
        "mr_hippocampus_crop_A": (35, 51, 32),
        "ct_sts019_with_rtstruct/rtstruct/rtstruct.dcm": "without pixels (RTSTRUCT)",
        "cxr_siim/1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm": "is a 2D image; 3D images are used",
        "cxr_siim/same_image_as_MONOCHROME1.dcm": "is a 2D image; 3D images are used",
        "cxr_siim/rle.csv": "is a file of kind .csv, which is not read",
        "odd_ct_gantry_tilt_variable_gap": "has a variable distance of slices (1.08 mm from 18.36 to 19.44 mm",
        "odd_ct_missing_and_duplicate_slices.zip": "is an archive; unpack it first",
        "odd_pydicom CT": "has 1 slice, at least 8 are needed",
        "odd_pydicom MR": "has 1 slice, at least 8 are needed (3 left out",
        "odd_pydicom NM": "has 1 slice, at least 8 are needed",
        "odd_pydicom OT": "has 1 slice, at least 8 are needed",
        "odd_pydicom/ExplVR_BigEndNoMeta.dcm": "without pixels (RTPLAN)",
        "odd_pydicom/MR_truncated.dcm": "is cut short: 8142 bytes for 8192 bytes of pixels",
        "odd_pydicom/badVR.dcm": "is not readable DICOM (ValueError: invalid literal for int() with base 10: '1A')",
        "odd_pydicom/eCT_multiframe.dcm": "is a multi-frame DICOM file (2 frames); convert it to NIfTI with dcm2niix",
        "odd_pydicom/emri_small_jpeg_2k_lossless_too_short.dcm": "is a multi-frame DICOM file (10 frames)",
        "odd_pydicom/liver_1frame.dcm": "is a DICOM segmentation (SEG)",
        "odd_pydicom/no_meta.dcm": "is not readable DICOM: it names no kind of object",
        "odd_pydicom/rtplan_truncated.dcm": "without pixels (RTPLAN)",
        "odd_pydicom/rtstruct.dcm": "without pixels (RTSTRUCT)",
    }
    _compare(_listing(real_data / "dicom", tmp_path), expected)
    files = {path.relative_to(real_data / "dicom") for path in walk_files(real_data / "dicom")}
    named = {PurePosixPath(name.split()[0]) for name in expected}
    assert {path for path in files if not named & {path, path.parent}} == set()


def test_compressed_slices_are_what_pydicom_reads(real_data: Path) -> None:
    folder = real_data / "dicom/ct_j2k_20slices"
    headers = sorted(map(pydicom.dcmread, folder.iterdir()), key=lambda header: header.ImagePositionPatient[2])
    slices = [header.pixel_array.astype(int) + int(header.RescaleIntercept) for header in headers]
    volume = read_volume(folder, headers[0].SeriesInstanceUID)
    np.testing.assert_array_equal(volume.array, np.stack(slices).T[::-1, ::-1])


@pytest.mark.parametrize("name", ["RLE", "bigendian", "jp2klossless", "jpeg_ls_lossless"])
def test_transfer_syntaxes_agree(real_data: Path, name: str) -> None:
    plain = read_volume(real_data / "dicom/odd_pydicom/MR_small_RLE.dcm").array
    np.testing.assert_array_equal(read_volume(real_data / f"dicom/odd_pydicom/MR_small_{name}.dcm").array, plain)
    assert (plain.min(), plain.max()) == (127, 2145)


def test_slices_saved_as_pictures_are_the_volume_again(real_data: Path, tmp_path: Path) -> None:
    volume = read_volume(next((real_data / "ct_chest_abdomen").rglob("CRLM-CT-1004.nii.gz")))
    (tmp_path / "exam").mkdir()
    for index in range(volume.array.shape[2]):
        grey = (volume.array[::-1, ::-1, index].T + 1024).astype(np.uint16)
        Image.fromarray(grey).save(tmp_path / f"exam/{index}.png")
    (record,) = scan_folder(tmp_path, progress=False, spatial_dims=3).records
    stack = read_volume(tmp_path / record["image"], record["series"])
    np.testing.assert_array_equal(stack.array - 1024, volume.array)


def test_films_are_no_stack(real_data: Path, tmp_path: Path) -> None:
    films = sorted((real_data / "cxr_nih64").rglob("*.png"))
    for number, film in enumerate(films[:200]):  # named as slices would be
        (tmp_path / f"{number:05d}.png").symlink_to(film)
    with pytest.raises(ValueError, match=r"stack \*.png is taken for 200 films, because neighbours are hardly more"):
        scan_folder(tmp_path, progress=False, spatial_dims=3)
    assert len(scan_folder(tmp_path, progress=False).records) == 200


def test_missing_and_duplicate_slices(real_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(real_data / "dicom/odd_ct_missing_and_duplicate_slices.zip") as archive:
        archive.extractall(tmp_path)
    with pytest.raises(ValueError, match=r"has duplicate slices \(2 at -90.00 mm\) and a variable distance"):
        scan_folder(tmp_path, progress=False)


def test_every_odd_nifti_is_used_or_named_with_its_reason(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "nifti_odd"
    expected: dict[str, object] = {
        "ct_oblique_phantom.nii.gz": (175, 248, 58),
        "hippocampus_118_no_label.nii.gz": (37, 52, 33),
        "image.mha": (64, 64, 37),
        "minimal.nii.gz": "has no orientation: sform_code and qform_code of its header are 0",
        "orientation_AIL.nii.gz": (64, 79, 67),
        "orientation_LSA.nii.gz": (64, 79, 67),
        "orientation_RPS.nii.gz": (64, 79, 67),
        "asl_4d.nii.gz": "has 4 axes (64, 64, 24, 25)",
        "complex_dtype.nii.gz": "holds complex numbers",
        "ct_perfusion_rgb24.nii.gz": "holds colours (RGB)",
        "sheared_affine.nii.gz": (306, 505, 54),  # sheared by 18.5 degrees, put on a straight grid
        "truncated_download.nii.gz": "is cut short",
    }
    _compare(_listing(folder, tmp_path), expected)
    assert {path.name for path in folder.iterdir()} == set(expected)
    turned = [read_volume(folder / f"orientation_{axes}.nii.gz").array for axes in ("LSA", "RPS", "AIL")]
    np.testing.assert_array_equal(turned[0], turned[1])
    np.testing.assert_array_equal(turned[0], turned[2])
    oblique = nib.load(folder / "ct_oblique_phantom.nii.gz")
    volume = read_volume(folder / "ct_oblique_phantom.nii.gz")
    np.testing.assert_allclose(volume.affine, oblique.affine)
    np.testing.assert_array_equal(volume.array, np.asarray(oblique.dataobj))


def test_films_with_patients_in_their_names(real_data: Path) -> None:
    folder = real_data / "cxr_nih256" / "images"
    datalist = scan_folder(folder, patient_pattern=r"^(\d+)_", progress=False)
    assert len(datalist.records) == 559
    assert {item["reason"] for item in datalist.skipped} == {"is a copy of 00002658_001.jpg: it has the same content"}
    assert len({record["patient"] for record in datalist.records}) == 402
    datalist.check("cxr_nih256")


def test_four_channels_are_refused(real_data: Path) -> None:
    with pytest.raises(ValueError, match=r"4 axes .*: several channels or time points"):
        scan_folder(real_data / "brain_tumour_4ch", progress=False)

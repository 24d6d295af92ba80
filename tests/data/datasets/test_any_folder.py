from __future__ import annotations

import logging
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_sg.data.datasets.any_folder import scan_folder
from tests.data.conftest import WriteSeries, ct_like, write_nifti


def _scan(folder: Path, **arguments: object) -> tuple[list[str], dict[str, str]]:
    datalist = scan_folder(folder, progress=False, **arguments)  # type: ignore[arg-type]
    images = sorted(record["image"] for record in datalist.records)
    return images, {item["path"]: item["reason"] for item in datalist.skipped}


def test_all_formats_are_found(tmp_path: Path, write_series: WriteSeries) -> None:
    write_nifti(tmp_path / "a.nii.gz", ct_like())
    write_nifti(tmp_path / "sub/b.nii", ct_like())
    for suffix in (".mhd", ".mha", ".nrrd"):
        itk.imwrite(itk.image_from_array(ct_like()), str(tmp_path / f"c{suffix}"))
    np.save(tmp_path / "d.npy", ct_like())
    write_series(tmp_path / "dicom/no_suffix", ct_like(), suffix="")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "README").write_text("not an image either")
    images, skipped = _scan(tmp_path)
    assert images == ["a.nii.gz", "c.mha", "c.mhd", "c.nrrd", "d.npy", "dicom/no_suffix", "sub/b.nii"]
    assert skipped == {
        "README": "is a file without suffix, which is not read",
        "notes.txt": "is a file of kind .txt, which is not read",
    }


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    write_nifti(tmp_path / "elsewhere/a.nii.gz", ct_like())
    (tmp_path / "data").mkdir()
    (tmp_path / "data/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data/circle").symlink_to(tmp_path / "data")
    assert _scan(tmp_path / "data")[0] == ["link/a.nii.gz"]


def test_reasons_of_files_left_out(tmp_path: Path) -> None:
    write_nifti(tmp_path / "good.nii.gz", ct_like())
    write_nifti(tmp_path / "time.nii.gz", ct_like((12, 10, 9, 3)))
    write_nifti(tmp_path / "thin.nii.gz", ct_like((12, 10, 3)))
    write_nifti(tmp_path / "complex.nii.gz", ct_like().astype(np.complex64))
    write_nifti(tmp_path / "good_seg.nii.gz", ct_like())
    write_nifti(tmp_path / "labelsTr/good.nii.gz", ct_like())
    sheared = np.diag([2.0, 2.0, 2.0, 1.0])
    sheared[1, 2] = 0.7
    nib.save(nib.Nifti1Image(ct_like(), sheared), tmp_path / "tilted.nii.gz")
    whole = (tmp_path / "good.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    write_nifti(tmp_path / "long.nii", ct_like())
    (tmp_path / "short.nii").write_bytes((tmp_path / "long.nii").read_bytes()[:-100])
    (tmp_path / "broken.mha").write_text("not an image")
    (tmp_path / "scans.zip").write_bytes(b"PK")
    images, skipped = _scan(tmp_path)
    assert images == ["good.nii.gz", "long.nii", "tilted.nii.gz"]
    expected = {
        "time.nii.gz": "4 axes (12, 10, 9, 3)",
        "thin.nii.gz": "3 slices, at least 8",
        "complex.nii.gz": "complex numbers",
        "good_seg.nii.gz": "'seg' in its name",
        "labelsTr/good.nii.gz": "folder 'labelsTr'",
        "cut.nii.gz": "cut short",
        "short.nii": "cut short: 2412 of 2512 bytes",
        "broken.mha": "is not a MetaImage, though its name says so",
        "scans.zip": "archive",
    }
    assert set(skipped) == set(expected)
    assert {path: expected[path] in skipped[path] for path in expected} == dict.fromkeys(expected, True)


def test_series_in_one_folder_are_kept_apart(tmp_path: Path, write_series: WriteSeries) -> None:
    first = write_series(tmp_path / "exam", ct_like(seed=1), patient="P1")
    second = write_series(tmp_path / "exam", ct_like(seed=2), patient="P1")
    datalist = scan_folder(tmp_path, progress=False)
    assert {record["series"] for record in datalist.records} == {first, second}
    assert {record["patient"] for record in datalist.records} == {"P1"}
    assert {record["image"] for record in datalist.records} == {"exam"}
    assert len({record["id"] for record in datalist.records}) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            {"positions": [0, 4, 8, 12, 20, 24, 28, 32, 36]},
            "missing slices (8.00 mm from 12.00 to 20.00 mm",
        ),
        ({"positions": [0, 4, 8, 12, 13.5, 18, 22, 26, 30]}, "variable distance of slices (1.50 mm from 12.00"),
        ({"positions": [0, 4, 8, 8, 12, 16, 20, 24, 28]}, "has duplicate slices (2 at 8.00 mm)"),
        (
            {"positions": [0, 4, 8, 8, 12, 20, 24, 28, 32]},
            "(2 at 8.00 mm) and missing slices (8.00 mm",
        ),
        ({"positions": [0, 0, 0, 4, 4, 4, 8, 8, 8]}, "3 images at each of 3 positions"),
        ({"tilt_mm": 4.0}, "gantry tilt of 45.0 degrees, more than 35"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
        ({"NumberOfFrames": 5}, "multi-frame DICOM file (5 frames)"),
        ({"Modality": "SEG"}, "segmentation (SEG)"),
        ({"Modality": "RTDOSE"}, "RTDOSE"),
        ({"SamplesPerPixel": 3}, "colour"),
        ({"ImagePositionPatient": None}, "lacks ImagePositionPatient in all of its 9 slices"),
        ({"PixelSpacing": None}, "lacks PixelSpacing in all"),
        ({"PixelSpacing": [0, 1]}, "lacks PixelSpacing in all"),
    ],
)
def test_series_left_out(tmp_path: Path, write_series: WriteSeries, arguments: dict[str, object], reason: str) -> None:
    write_series(tmp_path / "bad", ct_like(), **arguments)
    write_series(tmp_path / "good", ct_like())
    images, skipped = _scan(tmp_path)
    assert images == ["good"]
    assert all(path.startswith("bad") and reason in text for path, text in skipped.items()), skipped
    assert skipped


def test_few_slices_are_left_out(tmp_path: Path, write_series: WriteSeries) -> None:
    write_series(tmp_path / "bad", ct_like((12, 10, 5)))
    with pytest.raises(ValueError, match="5 slices, at least 8"):
        scan_folder(tmp_path, progress=False)


def test_pictures(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (20, 30), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "grey_stored_as_colour.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "rgb.png")
    Image.fromarray(grey > 100).save(tmp_path / "binary.png")
    images, skipped = _scan(tmp_path)
    assert images == ["grey.png", "grey_stored_as_colour.png"]
    assert "is a colour picture" in skipped["rgb.png"]
    assert "mask" in skipped["binary.png"]


def test_volumes_and_pictures_are_not_mixed(tmp_path: Path) -> None:
    write_nifti(tmp_path / "a.nii.gz", ct_like())
    Image.fromarray(np.zeros((20, 30), dtype=np.uint8)).save(tmp_path / "preview.png")
    images, skipped = _scan(tmp_path)
    assert images == ["a.nii.gz"]
    assert skipped == {"preview.png": "is a 2D image; 3D images are used here"}
    assert _scan(tmp_path, spatial_dims=2)[0] == ["preview.png"]


def test_patients(tmp_path: Path, write_series: WriteSeries, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for name in ("p1_a", "p1_b", "p2_a"):
        write_nifti(tmp_path / f"nifti/{name}.nii.gz", ct_like())
    write_series(tmp_path / "dicom", ct_like(), patient="ANONYMOUS")
    datalist = scan_folder(tmp_path, patient_pattern=r"/(p\d)_", progress=False)
    assert {record["id"]: record["patient"] for record in datalist.records} == {
        "p1_a": "p1",
        "p1_b": "p1",
        "p2_a": "p2",
        "dicom": "dicom",
    }
    assert "No patient is known for 1 of 4 images, such as dicom" in caplog.text
    assert caplog.text.count("patient_pattern") == 1


def test_scan_is_the_same_twice(tmp_path: Path) -> None:
    for name in "edcba":
        write_nifti(tmp_path / f"{name}.nii.gz", ct_like())
    assert scan_folder(tmp_path, seed=3, progress=False) == scan_folder(tmp_path, seed=3, progress=False)


def test_absent_empty_and_useless_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder; set it"):
        scan_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is empty; set it"):
        scan_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"None of the 1 files .* notes.txt is a file of kind .txt, which is not read"):
        scan_folder(tmp_path, progress=False)
    write_nifti(tmp_path / "time.nii.gz", ct_like((12, 10, 9, 3)))
    with pytest.raises(ValueError, match=r"None of the 2 files .* time.nii.gz has 4 axes"):
        scan_folder(tmp_path, progress=False)


def test_without_fractions_nothing_is_split_and_nothing_said_of_splits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "ba":
        write_nifti(tmp_path / f"{name}.nii.gz", ct_like())
    with caplog.at_level(logging.INFO):
        datalist = scan_folder(tmp_path, fractions=None, progress=False)
    assert [record["id"] for record in datalist.test] == ["a", "b"] == [record["id"] for record in datalist.records]
    assert caplog.messages == [f"{tmp_path}: 2 images, 0 files or series left out."]


def test_pictures_where_volumes_are_wanted_are_named(tmp_path: Path) -> None:
    for number in (1, 3, 7, 8, 9, 10, 11, 12):
        Image.fromarray(ct_like((12, 10), seed=number).astype(np.uint8)).save(tmp_path / f"cxr-{number:03d}.png")
    with pytest.raises(ValueError, match=r"as a 3D image, but 8 of them are pictures: weights for 3D images .* evenly"):
        scan_folder(tmp_path, progress=False, spatial_dims=3)
    assert len(scan_folder(tmp_path, progress=False, spatial_dims=2).records) == 8

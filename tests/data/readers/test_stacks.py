from __future__ import annotations

import logging
import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.readers.files import read_header
from monai_sg.data.readers.formats import UnusableImageError, spacing_in
from monai_sg.data.readers.reading import header_of
from monai_sg.data.readers.stacks import find_stacks, pattern_of
from monai_sg.data.readers.volumes import read_volume

SHAPE = (20, 18, 12)
RAMP = sum(np.meshgrid(*map(np.arange, SHAPE), indexing="ij")).astype(np.uint8)


def _write(folder: Path, array: np.ndarray, name: str = "slice_{}.png", first: int = 1) -> None:
    """Write the slices of an array (x, y, slices)."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(array.shape[2]):
        Image.fromarray(array[..., index].T).save(folder / name.format(index + first))


def _films(number: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*SHAPE[:2], number), dtype=np.uint8)


@pytest.mark.parametrize(("suffix", "dtype"), [("png", np.uint8), ("png", np.uint16), ("tif", np.float32)])
def test_slices_are_one_axial_volume_in_the_order_of_their_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str, dtype: type
) -> None:
    caplog.set_level(logging.WARNING)
    _write(tmp_path / "exam", RAMP.astype(dtype), "slice_{}." + suffix)
    datalist = scan_folder(tmp_path, progress=False, spatial_dims=3)
    assert datalist.records == [{"image": "exam", "id": "exam", "patient": "exam", "series": f"slice_*.{suffix}"}]
    assert "No spacing is known for 1 of 1 volumes, such as exam: 1 mm is taken." in caplog.text
    volume = read_volume(tmp_path / "exam", f"slice_*.{suffix}")
    np.testing.assert_array_equal(volume.array, RAMP[::-1, ::-1])  # LPS as shown, RAS as stored
    np.testing.assert_array_equal(np.diag(volume.affine), [1, 1, 1, 1])
    assert header_of(tmp_path / "exam", f"slice_*.{suffix}").shape == SHAPE


def test_pictures_stay_pictures_unless_volumes_are_asked_for(tmp_path: Path) -> None:
    _write(tmp_path, RAMP)
    for dims in (None, 2):
        records = scan_folder(tmp_path, progress=False, spatial_dims=dims).records
        assert sorted(record["id"] for record in records) == sorted(f"slice_{number}" for number in range(1, 13))


def test_spacing_file_declares_a_stack(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _write(tmp_path / "exam", _films())
    (tmp_path / "exam/spacing.txt").write_text("0.7, 0.8 2.5\n")
    assert [record["image"] for record in scan_folder(tmp_path, progress=False).records] == ["exam"]
    assert "No spacing is known" not in caplog.text
    volume = read_volume(tmp_path / "exam", "slice_*.png")
    assert volume.spacing == header_of(tmp_path / "exam", "slice_*.png").spacing == (0.7, 0.8, 2.5)
    with pytest.raises(ValueError, match="is a 3D image; 2D images are used here"):
        scan_folder(tmp_path, progress=False, spatial_dims=2)


def test_stacks_in_one_folder(tmp_path: Path) -> None:
    for name in ("p1_t2", "p2_t2"):
        _write(tmp_path, RAMP, name + "_{:03d}.png", first=0)
    Image.fromarray(RAMP[..., 0]).save(tmp_path / "overview.png")
    datalist = scan_folder(tmp_path, patient_pattern=r"^(p\d)_", progress=False, spatial_dims=3)
    assert {record["series"]: (record["image"], record["patient"]) for record in datalist.records} == {
        "p1_t2_*.png": (".", "p1"),
        "p2_t2_*.png": (".", "p2"),
    }
    assert {record["id"] for record in datalist.records} == {"p1_t2", "p2_t2"}
    assert datalist.skipped == [{"path": "overview.png", "reason": "is a 2D image; 3D images are used here"}]


def _refused(folder: Path) -> str:
    stacks = find_stacks(folder, [PurePosixPath(path.name) for path in folder.glob("slice_*.png")], wanted=True)
    assert list(stacks) == [(PurePosixPath("."), "slice_*.png")]
    return stacks[PurePosixPath("."), "slice_*.png"] or ""


def test_reasons_of_stacks_left_out(tmp_path: Path) -> None:
    _write(tmp_path, _films())
    assert "is taken for 12 films, because neighbours are hardly more alike" in _refused(tmp_path)
    _write(tmp_path, RAMP)
    assert _refused(tmp_path) == ""
    (tmp_path / "slice_5.png").rename(tmp_path / "slice_13.png")
    assert _refused(tmp_path) == "is not numbered evenly, see slice_4.png and slice_6.png"
    (tmp_path / "slice_13.png").rename(tmp_path / "slice_5.png")
    _write(tmp_path, RAMP[..., :1], "slice_0{}.png")
    assert _refused(tmp_path) == "is not numbered evenly, see slice_01.png and slice_1.png"
    (tmp_path / "slice_01.png").unlink()
    _write(tmp_path, RAMP[:9, :, :1])
    assert _refused(tmp_path) == "has pictures of different size, (9, 18) and (20, 18)"
    (tmp_path / "slice_1.png").write_bytes(b"broken")
    assert "cannot be read" in _refused(tmp_path)
    _write(tmp_path, RAMP)
    (tmp_path / "spacing.txt").write_text("0.7 mm")
    assert "spacing.txt that reads '0.7 mm', not three numbers in mm" in _refused(tmp_path)


def test_slice_in_colour_spoils_a_stack(tmp_path: Path) -> None:
    _write(tmp_path, RAMP)
    colours = np.random.default_rng(0).integers(0, 255, (18, 20, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "slice_3.png")
    with pytest.raises(ValueError, match=r"stack slice_\*.png has 1 of 12 slices that cannot be used") as error:
        scan_folder(tmp_path, progress=False, spatial_dims=3)
    assert "slice_3.png is a colour picture" in str(error.value)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("007.png", "*.png"),
        ("p12_s3.TIF", "p12_s*.TIF"),
        ("scan (4).tiff", "scan (*).tiff"),
        ("3.jpg", None),
        ("film.png", None),
    ],
)
def test_patterns(name: str, pattern: str | None) -> None:
    assert pattern_of(PurePosixPath("folder") / name) == pattern


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_with_pages_is_a_volume_and_without_a_picture(tmp_path: Path, dtype: type) -> None:
    pages = [Image.fromarray(RAMP[..., index].T.astype(dtype)) for index in range(SHAPE[2])]
    pages[0].save(tmp_path / "volume.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "picture.tiff")
    assert read_header(tmp_path / "volume.tif").shape == SHAPE
    assert read_header(tmp_path / "picture.tiff").shape == SHAPE[:2]
    np.testing.assert_array_equal(read_volume(tmp_path / "volume.tif").array, RAMP[::-1, ::-1])
    np.testing.assert_array_equal(read_volume(tmp_path / "picture.tiff").array, RAMP[..., 0])
    (tmp_path / "spacing.txt").write_text("1 2 3")
    assert read_volume(tmp_path / "volume.tif").spacing == read_header(tmp_path / "volume.tif").spacing == (1, 2, 3)
    assert read_volume(tmp_path / "picture.tiff").spacing == (1, 1)


def test_tiff_with_pages_of_different_size_is_refused(tmp_path: Path) -> None:
    large, small = (Image.fromarray(np.zeros((size, size), dtype=np.uint8)) for size in (30, 15))
    large.save(tmp_path / "pyramid.tif", save_all=True, append_images=[small] * 9)
    with pytest.raises(UnusableImageError, match=r"has pages of different size, \(30, 30\) and \(15, 15\)"):
        read_header(tmp_path / "pyramid.tif")


def test_spacing_of_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", RAMP)
    assert spacing_in(tmp_path) is None
    (tmp_path / "spacing.txt").write_text("2 3 4")
    assert read_header(tmp_path / "a.npy").spacing == read_volume(tmp_path / "a.npy").spacing == (2, 3, 4)
    (tmp_path / "spacing.txt").write_text("2 3 -4")
    with pytest.raises(UnusableImageError, match="reads '2 3 -4'"):
        spacing_in(tmp_path)


def test_changed_slices_are_cached_again(tmp_path: Path) -> None:
    folder = tmp_path / "data/exam"
    _write(folder, RAMP)
    datalist = scan_folder(tmp_path / "data", progress=False, spatial_dims=3)

    def cached() -> np.ndarray:
        return np.array(open_cache(datalist, tmp_path / "data", tmp_path / "cache", progress=False).array("exam"))

    first = cached()
    for number in (2, 5):
        os.utime(folder / f"slice_{number}.png", ns=(number, number))
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "slice_2.png").rename(folder / "other.png")
    (folder / "slice_5.png").rename(folder / "slice_2.png")
    (folder / "other.png").rename(folder / "slice_5.png")
    assert {path.stat().st_mtime_ns for path in folder.iterdir()} == set(times.values())
    swapped = cached()
    np.testing.assert_array_equal(swapped[..., [1, 4]], first[..., [4, 1]])
    (folder / "spacing.txt").write_text("1 1 2")
    assert open_cache(datalist, tmp_path / "data", tmp_path / "cache", progress=False).spacings == [(1, 1, 2)]

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from monai_sg.data.readers.files import read_header
from monai_sg.data.readers.formats import UnusableImageError
from monai_sg.data.readers.volumes import quantise, read_volume
from tests.data.conftest import INTERCEPT, WriteSeries, ct_like, write_nifti

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize("axes", ["RAS", "LPS", "LSA", "RPS", "AIL", "SPL"])
def test_every_orientation_gives_the_same_array(tmp_path: Path, axes: str) -> None:
    array = ct_like()
    image = nib.Nifti1Image(array, np.diag([2.0, 3.0, 4.0, 1.0]))
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(tuple(axes)))
    nib.save(image.as_reoriented(turn), tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(volume.array, array)
    assert volume.array.flags.c_contiguous
    assert volume.spacing == (2.0, 3.0, 4.0)
    np.testing.assert_allclose(volume.affine, image.affine)


def test_dicom_is_hounsfield_in_ras(tmp_path: Path, write_series: WriteSeries) -> None:
    array = ct_like()
    series = write_series(tmp_path / "exam", array)
    write_series(tmp_path / "exam", ct_like(seed=5))
    volume = read_volume(tmp_path / "exam", series)
    np.testing.assert_array_equal(volume.array, array)
    assert volume.array.dtype == np.int16
    assert volume.spacing == (2.0, 3.0, 4.0)


def _oblique() -> np.ndarray:
    """Return an affine, voxel to RAS mm, of spacing 2, 3 and 4 mm, turned about two axes."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xz", [12, -7], degrees=True).as_matrix() * [2, 3, 4]
    affine[:3, 3] = [-50.0, 20.0, 300.0]
    return affine


def _nifti(path: Path, array: np.ndarray, affine: np.ndarray, axes: str = "RAS", endianness: str = "<") -> Path:
    kind = nib.Nifti1Pair if path.suffix == ".hdr" else nib.Nifti1Image
    image = kind(array, affine, nib.Nifti1Header(endianness=endianness))
    image.set_data_dtype(array.dtype.newbyteorder(endianness))
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(tuple(axes)))
    nib.save(image.as_reoriented(turn), path)
    return path


def _nrrd(path: Path, array: np.ndarray, affine: np.ndarray, space: str) -> Path:
    """Write the axes in the order z, x, y, with the data in a file of its own for ``.nhdr``."""
    turned, placed = array.transpose(2, 0, 1), (affine if space.startswith("right") else LPS @ affine)[:3]
    data = turned.astype("<f4").tobytes(order="F")
    lines = [
        "NRRD0005",
        "type: float",
        "dimension: 3",
        f"space: {space}",
        f"sizes: {' '.join(map(str, turned.shape))}",
        "space directions: " + " ".join(f"({','.join(map(repr, map(float, placed[:, axis])))})" for axis in (2, 0, 1)),
        "kinds: domain domain domain",
        "endian: little",
        "encoding: raw",
        f"space origin: ({','.join(map(repr, map(float, placed[:, 3])))})",
    ]
    if path.suffix == ".nhdr":
        path.with_suffix(".raw").write_bytes(data)
        path.write_text("\n".join([*lines, f"data file: {path.with_suffix('.raw').name}", ""]))
    else:
        path.write_bytes("\n".join([*lines, "", ""]).encode() + data)
    return path


def _meta_image(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    placed = (LPS @ affine)[:3]
    lengths = np.linalg.norm(placed[:, :3], axis=0)
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "TransformMatrix = " + " ".join(repr(float(number)) for number in (placed[:, :3] / lengths).T.ravel()),
        "Offset = " + " ".join(repr(float(number)) for number in placed[:, 3]),
        "ElementSpacing = " + " ".join(repr(float(number)) for number in lengths),
        f"DimSize = {' '.join(map(str, array.shape))}",
        "ElementType = MET_UCHAR",
        "ElementDataFile = " + ("LOCAL" if path.suffix == ".mha" else path.with_suffix(".raw").name),
        "",
    ]
    data = array.astype(np.uint8).tobytes(order="F")
    if path.suffix == ".mhd":
        path.with_suffix(".raw").write_bytes(data)
    path.write_bytes("\n".join(lines).encode() + (data if path.suffix == ".mha" else b""))
    return path


WAYS: dict[str, Callable[[Path, np.ndarray, np.ndarray], Path]] = {
    "nifti": lambda folder, *image: _nifti(folder / "a.nii.gz", *image),
    "nifti in LSA": lambda folder, *image: _nifti(folder / "a.nii", *image, axes="LSA"),
    "big-endian nifti in AIL": lambda folder, *image: _nifti(folder / "a.nii", *image, axes="AIL", endianness=">"),
    "nifti pair": lambda folder, *image: _nifti(folder / "a.hdr", *image, axes="LPS"),
    "nrrd in RAS": lambda folder, *image: _nrrd(folder / "a.nrrd", *image, space="right-anterior-superior"),
    "nrrd in LPS": lambda folder, *image: _nrrd(folder / "a.nrrd", *image, space="left-posterior-superior"),
    "detached nrrd": lambda folder, *image: _nrrd(folder / "a.nhdr", *image, space="left-posterior-superior"),
    "mha": lambda folder, *image: _meta_image(folder / "a.mha", *image),
    "mhd": lambda folder, *image: _meta_image(folder / "a.mhd", *image),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_format_gives_the_same_volume(tmp_path: Path, way: str) -> None:
    array = np.random.default_rng(0).integers(0, 255, (12, 10, 9)).astype(np.int16)
    path = WAYS[way](tmp_path, array, _oblique())
    header = read_header(path)
    assert sorted(header.spacing) == pytest.approx([2, 3, 4])
    assert sorted(header.shape) == [9, 10, 12]
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.array, array)
    assert volume.spacing == (2, 3, 4)
    np.testing.assert_allclose(volume.affine, _oblique(), atol=1e-4)


def test_oblique_dicom_gives_the_same_volume(tmp_path: Path, write_series: WriteSeries) -> None:
    volume = read_volume(tmp_path, write_series(tmp_path, ct_like(), affine=_oblique()))
    np.testing.assert_array_equal(volume.array, ct_like())
    np.testing.assert_allclose(volume.affine, _oblique(), atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_axes_that_no_gantry_gives_are_refused(tmp_path: Path, way: str) -> None:
    affine = _oblique()
    affine[:3, 2] += affine[:3, 1] * 0.4 + affine[:3, 0]
    affine[:3, 1] += affine[:3, 0] * 0.4
    with pytest.raises(UnusableImageError, match=r"sheared axes \(.* degrees\)"):
        read_header(WAYS[way](tmp_path, ct_like(), affine))


def test_headers_without_data_or_direction_are_refused(tmp_path: Path) -> None:
    _nifti(tmp_path / "pair.hdr", ct_like(), np.eye(4))
    (tmp_path / "pair.img").write_bytes((tmp_path / "pair.img").read_bytes()[:-10])
    with pytest.raises(UnusableImageError, match="is cut short: 2150 of 2160 bytes"):
        read_header(tmp_path / "pair.hdr")
    (tmp_path / "pair.img").unlink()
    with pytest.raises(UnusableImageError, match=r"lacks its voxels: pair.img is not there"):
        read_header(tmp_path / "pair.hdr")
    nib.save(nib.AnalyzeImage(ct_like(), np.eye(4)), tmp_path / "analyze.img")
    with pytest.raises(UnusableImageError, match="does not tell left from right; convert it to NIfTI"):
        read_header(tmp_path / "analyze.hdr")


def test_numpy_is_taken_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ct_like())
    volume = read_volume(tmp_path / "a.npy")
    np.testing.assert_array_equal(volume.array, ct_like())
    assert volume.spacing == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_pictures_have_axes_x_and_y(tmp_path: Path, mode: str) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.uint16 if mode == "I;16" else np.uint8)
    Image.fromarray(np.stack([grey] * 3, axis=-1) if mode == "RGB" else grey).save(tmp_path / "a.png")
    volume = read_volume(tmp_path / "a.png")
    np.testing.assert_array_equal(volume.array, grey.T)
    assert volume.array.dtype == np.uint8
    assert volume.spacing == (1.0, 1.0)
    np.testing.assert_array_equal(volume.affine, np.eye(4))


def test_film_with_inverted_grey_values(tmp_path: Path, write_series: WriteSeries) -> None:
    film = ct_like((12, 10, 1))
    write_series(tmp_path / "plain", film, Modality="DX")
    write_series(tmp_path / "inverted", film, Modality="DX", PhotometricInterpretation="MONOCHROME1")
    plain, inverted = (read_volume(next((tmp_path / name).iterdir())) for name in ("plain", "inverted"))
    np.testing.assert_array_equal(plain.array[::-1, ::-1], film[..., 0])
    np.testing.assert_array_equal(inverted.array.astype(int) + plain.array, 65535 + 2 * INTERCEPT)
    assert plain.spacing == (2.0, 3.0)


def test_films_are_read_as_their_window_shows_them(tmp_path: Path, write_series: WriteSeries) -> None:
    film, ends = ct_like((12, 10, 1)).astype(int), 65535 + 2 * INTERCEPT
    tags = {"Modality": "DX", "VOILUTFunction": "LINEAR_EXACT", "WindowWidth": 1000}
    write_series(tmp_path / "plain", film, WindowCenter=200, **tags)
    inverse = {"WindowCenter": ends - 200, "PhotometricInterpretation": "MONOCHROME1"}
    write_series(tmp_path / "inverted", ends - film, **inverse, **tags)
    expected = np.clip((film[..., 0] - 200) / 1000 + 0.5, 0, 1) * 65535 + INTERCEPT
    for name in ("plain", "inverted"):
        volume = read_volume(next((tmp_path / name).iterdir()))
        values = volume.array[::-1, ::-1] * volume.scale + volume.offset
        np.testing.assert_allclose(values, expected, atol=volume.scale)


def test_missing_values_become_background(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    array = ct_like().astype(np.float32)
    expected = array.copy()
    array[0, 0, :5] = np.nan
    array[1, 0, 0] = np.inf
    low = np.nanmin(array)
    expected[0, 0, :5] = expected[1, 0, 0] = low
    volume = read_volume(write_nifti(tmp_path / "a.nii.gz", array))
    np.testing.assert_array_equal(volume.array, expected)
    assert volume.minimum == low
    assert "a.nii.gz: 0.56% of the voxels are NaN or infinite; set to -1000." in caplog.text


def test_useless_images_are_refused(tmp_path: Path) -> None:
    array = ct_like().astype(np.float32)
    with pytest.raises(UnusableImageError, match="same value 7 in every voxel"):
        read_volume(write_nifti(tmp_path / "constant.nii.gz", np.full_like(array, 7)))
    array[:7] = np.nan
    with pytest.raises(UnusableImageError, match="has only 450 voxels of 1080 that are not NaN"):
        read_volume(write_nifti(tmp_path / "nan.nii.gz", array))


def test_a_brain_in_nan_at_any_share_is_used(tmp_path: Path) -> None:
    array = np.full((24, 24, 24), np.nan, dtype=np.float32)
    array[8:16, 8:16, 8:16] = np.arange(512).reshape(8, 8, 8)
    volume = read_volume(write_nifti(tmp_path / "brain.nii.gz", array))
    assert (volume.array == 0).sum() == 24**3 - 511
    np.testing.assert_array_equal(volume.array[8:16, 8:16, 8:16], array[8:16, 8:16, 8:16])


def test_resampled_to_a_spacing(tmp_path: Path) -> None:
    ramp = np.zeros((8, 8, 9), dtype=np.int16)
    ramp += (np.arange(9) * 100 - 600).astype(np.int16)
    volume = read_volume(write_nifti(tmp_path / "a.nii.gz", ramp), spacing=(4.0, 3.0, 2.0))
    assert volume.spacing == (4.0, 3.0, 2.0)
    np.testing.assert_array_equal(volume.array[1, 1], np.arange(17) * 50 - 600)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    assert read_volume(tmp_path / "a.png", spacing=(2.0, 1.0)).spacing == (2.0, 1.0)
    with pytest.raises(ValueError, match="the image has 3 axes"):
        read_volume(tmp_path / "a.nii.gz", spacing=(2.0, 2.0))


@pytest.mark.parametrize(
    ("values", "whole", "dtype", "scale", "offset"),
    [
        ([0, 255], True, np.uint8, 1, 0),
        ([-1, 255], True, np.int16, 1, 0),
        ([0, 4095], True, np.int16, 1, 0),
        ([0, 65535], True, np.uint16, 1, 0),
        ([-1000.5, 1000.25], False, np.int16, 1, 0),
        ([0.0, 1.0], False, np.uint16, 1 / 65535, 0),
        ([-4.0, 6.0], False, np.uint16, 10 / 65535, -4),
        ([-600, 200000], True, np.int32, 1, 0),
        ([0, 200000], True, np.uint16, 200000 / 65535, 0),
    ],
)
def test_stored_type(values: list[float], whole: bool, dtype: type, scale: float, offset: float) -> None:
    array = np.array([values, values], dtype=np.float32)
    stored, found_scale, found_offset = quantise(array, whole)
    assert (stored.dtype, found_scale, found_offset) == (dtype, pytest.approx(scale), offset)
    np.testing.assert_allclose(
        stored * found_scale + found_offset, array, atol=0.5 if found_scale == 1 else found_scale
    )


def test_fourth_axis_of_length_one_is_dropped(tmp_path: Path) -> None:
    volume = read_volume(write_nifti(tmp_path / "a.nii.gz", ct_like()[..., None]))
    np.testing.assert_array_equal(volume.array, ct_like())


def test_padding_outside_the_field_of_view_is_kept(tmp_path: Path) -> None:
    array = ct_like()
    array[0] = -3024
    assert read_volume(write_nifti(tmp_path / "a.nii.gz", array)).minimum == -3024
    assert INTERCEPT > -3024

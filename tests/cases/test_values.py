from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image

from monai_sg.data.phantom.ct import write_ct_cohort
from monai_sg.data.readers.formats import UnusableImageError
from monai_sg.data.readers.volumes import read_volume
from monai_sg.data.window_fit import check_fit
from monai_sg.utils.errors import UserError
from tests.cases.outcome import hu, outcome, patch, write
from tests.data.conftest import WriteSeries

WINDOW = (-1000.0, 1000.0)


def test_special_slopes_mean_that_nothing_is_scaled(tmp_path: Path) -> None:
    data = tmp_path / "data"
    fields: dict[str, dict[str, float]] = {
        "zero_zero": {"scl_slope": 0, "scl_inter": 0},
        "nan_nan": {"scl_slope": np.nan, "scl_inter": np.nan},
        "zero_1024": {"scl_slope": 0, "scl_inter": -1024},
        "one_nan": {"scl_slope": 1, "scl_inter": np.nan},
        "inf_zero": {"scl_slope": np.inf, "scl_inter": 0},
    }
    for number, (name, values) in enumerate(fields.items()):
        patch(write(data / f"{name}.nii", number), **values)
    shifted = (hu(5).astype(np.int32) + 1024).astype(np.uint16)
    patch(write(data / "offset.nii", 5, shifted), scl_slope=1, scl_inter=-1024)
    write(data / "float64.nii", 6, hu(6) + 0.25)
    image = nib.load(write(data / "big.nii", 7))
    swapped = nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine, image.header.as_byteswapped(">"))
    (data / "big.nii").write_bytes(swapped.to_bytes())
    found = outcome(data, tmp_path / "cache")
    assert found.used == {"zero_zero", "nan_nan", "zero_1024", "inf_zero", "offset", "float64", "big"}
    for name, number in (
        ("zero_zero", 0),
        ("nan_nan", 1),
        ("zero_1024", 2),
        ("inf_zero", 4),
        ("offset", 5),
        ("big", 7),
    ):
        found.equals(name, number)
    found.equals("float64", 6, tolerance=0.5)
    assert "a slope of 1 but an intercept of nan (scl_inter)" in found.reasons["one_nan.nii"]


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "no_offset": lambda values: np.clip(values.astype(np.int32) + 1024, 0, 4095).astype(np.uint16),
    "zero_to_one": lambda values: ((np.clip(values, -160, 240) + 160) / 400).astype(np.float32),
    "eight_bits": lambda values: np.rint((np.clip(values, -1250, 250) + 1250) / 1500 * 255).astype(np.uint8),
}


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ct_cohort(tmp_path_factory.mktemp("ct"), layout="nifti", numbers=[0, 1, 2, 3], shape=(40, 32, 32))


@pytest.mark.parametrize("change", CHANGES)
def test_ct_that_is_not_in_hu_is_named_before_training(
    scans: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    paths = sorted(scans.rglob("*.nii.gz"))
    for changed in (4, 1):
        folder = tmp_path / f"data{changed}"
        folder.mkdir()
        for number, path in enumerate(paths[:4]):
            image = nib.load(path)
            values = np.asarray(image.dataobj)
            values = CHANGES[change](values) if number < changed else values
            nib.save(nib.Nifti1Image(values, image.affine), folder / f"ct_{number}.nii.gz")
        cache = outcome(folder, tmp_path / f"cache{changed}").cache
        quantiles = {name: cache.entry(name).quantiles for name in cache.ids}
        if changed == 4:
            with pytest.raises(UserError, match=r"4 of 4 images do not fit .* Give --intensity_range"):
                check_fit(quantiles, WINDOW)
        else:
            with caplog.at_level(logging.WARNING):
                check_fit(quantiles, WINDOW)
            assert "The values of 1 of 4 images do not fit intensity_range [-1000, 1000]: ct_0 has" in caplog.text
            assert "--intensity_range percentile" in caplog.text
            assert not any(f"ct_{number} has" in caplog.text for number in (1, 2, 3))


def test_padding_and_metal_do_not_move_boxes_and_windows(scans: Path, tmp_path: Path) -> None:
    image = nib.load(sorted(scans.rglob("*.nii.gz"))[0])
    values = np.asarray(image.dataobj).astype(np.int32)
    x, y, _ = np.meshgrid(*(np.linspace(-1, 1, length) for length in values.shape), indexing="ij")
    outside, metal = np.abs(x) + np.abs(y) > 1.8, np.zeros(values.shape, bool)
    metal[20:22, 16:18, 16:18] = True
    twins = {
        "plain": values.astype(np.int16),
        **{f"pad{-pad}": np.where(outside, pad, values).astype(np.int16) for pad in (-3024, -2000, -32768)},
        "metal30000": np.where(metal, 30000, values).astype(np.int16),
        "metal70000": np.where(metal, 70000, values).astype(np.int32),
    }
    for name, array in twins.items():
        path = tmp_path / f"data/{name}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(array, image.affine), path)
    found = outcome(tmp_path / "data", tmp_path / "cache")
    assert found.used == set(twins)
    plain = found.cache.entry("plain")
    assert plain.lung_box is not None
    for name in twins:
        entry = found.cache.entry(name)
        assert (entry.body_box, entry.lung_box) == (plain.body_box, plain.lung_box), name
        np.testing.assert_allclose(entry.windows["percentile"], plain.windows["percentile"], atol=12, err_msg=name)
    turn = nib.orientations.io_orientation(image.affine)
    for name, top in (("metal30000", 30000), ("metal70000", 70000)):
        wanted = nib.orientations.apply_orientation(np.where(metal, top, values), turn)
        np.testing.assert_allclose(found.values(name), wanted, atol=1)


def test_dicom_that_pads_before_the_slope(tmp_path: Path, write_series: WriteSeries) -> None:
    write_series(tmp_path / "data/P1", hu())
    for path in (tmp_path / "data/P1").iterdir():
        header = pydicom.dcmread(path)
        stored = header.pixel_array.astype(np.int16)
        stored[:3] = -2000
        header.PixelRepresentation, header.PixelData = 1, stored.tobytes()
        header.add_new("PixelPaddingValue", "SS", -2000)
        header.save_as(path)
    values = outcome(tmp_path / "data", tmp_path / "cache").values("P1")
    assert np.unique(values[:, -3:]).tolist() == [-3024]
    np.testing.assert_array_equal(values[:, :-3], hu()[:, :-3])


def film() -> np.ndarray:
    """Return a film of 0 to 1, bright below."""
    rows, columns = np.mgrid[0:40, 0:32]
    return (rows / 39 * 0.8 + 0.2 * (np.hypot(rows - 20, columns - 10) < 6)).clip(0, 1)


def test_one_film_in_many_encodings(tmp_path: Path, write_series: WriteSeries) -> None:
    data = tmp_path / "data"
    data.mkdir()
    grey = Image.fromarray(np.rint(film() * 255).astype(np.uint8))
    grey.save(data / "grey.png")
    for mode in ("RGB", "RGBA", "P", "LA"):
        grey.convert(mode).save(data / f"{mode.lower()}.png")
    for bits, name in ((16, "sixteen.png"), (12, "twelve.tif")):
        Image.fromarray(np.rint(film() * (2**bits - 1)).astype(np.uint16)).save(data / name)
    grey.convert("CMYK").save(data / "cmyk.jpg", quality=95)
    grey.save(data / "jpeg.jpg", quality=95)
    (data / "cut.jpg").write_bytes((data / "jpeg.jpg").read_bytes()[:600])
    grey.save(data / "really_png.jpg", format="PNG", compress_level=1)
    marked = grey.convert("RGB")
    marked.paste((255, 0, 0), (4, 4, 10, 10))
    marked.save(data / "marked.png")
    exif = Image.Exif()
    exif[274] = 6
    grey.transpose(Image.Transpose.ROTATE_90).save(data / "turned.jpg", quality=95, exif=exif)
    found = outcome(data, tmp_path / "cache", spatial_dims=2)
    assert set(found.reasons) == {"cut.jpg", "marked.png"}
    assert "is cut short: the end of the JPEG picture is missing" in found.reasons["cut.jpg"]
    assert "is a colour picture" in found.reasons["marked.png"]
    assert len(found.used) == 11
    for name in found.used:
        values = found.values(name)
        np.testing.assert_allclose(values / values.max(), film().T / film().max(), atol=12 / 255, err_msg=name)
    quantiles = {name: found.cache.entry(name).quantiles for name in ("grey", "rgb", "sixteen", "twelve", "jpeg")}
    unfit = {name for name, each in quantiles.items() if each[0][-1] > 2 * 255}
    assert unfit == {"sixteen", "twelve"}


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270)],
)
def test_tiff_is_turned_as_its_tag_says(
    tmp_path: Path, orientation: int, turn: Image.Transpose, compression: str | None
) -> None:
    grey = Image.fromarray(np.rint(film() * 255).astype(np.uint8))
    exif = Image.Exif()
    exif[274] = orientation
    grey.transpose(turn).save(tmp_path / "a.tif", exif=exif, compression=compression)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.tif").array, np.asarray(grey).T)


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_bones_are_bright_in_dicom_films(tmp_path: Path, write_series: WriteSeries, kind: str) -> None:
    write_series(tmp_path, hu())
    paths = sorted(tmp_path.iterdir())
    header = pydicom.dcmread(paths[0])
    for path in paths[1:]:
        path.unlink()
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"):
        delattr(header, name)
    values = np.rint(film() * 4095).astype(np.uint16)
    header.Modality, header.PhotometricInterpretation, header.BitsStored, header.HighBit = "DX", kind, 12, 11
    header.Rows, header.Columns = values.shape
    header.PixelData = (values if kind == "MONOCHROME2" else 4095 - values).tobytes()
    header.save_as(paths[0])
    found = read_volume(paths[0])
    np.testing.assert_allclose(found.array / found.array.max(), film().T / film().max(), atol=2e-3)


def test_what_no_reader_agrees_on_is_named(tmp_path: Path) -> None:
    head = "NDims = 3\nDimSize = 16 14 12\nElementType = MET_SHORT\nElementSpacing = 2 3 4\n"
    function = "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementToIntensityFunctionOffset = -1024\n"
    path = tmp_path / "a.mha"
    path.write_bytes(f"{head}{function}ElementDataFile = LOCAL\n".encode() + hu().tobytes(order="F"))
    with pytest.raises(UnusableImageError, match=r"stand for others \(ElementToIntensityFunctionOffset = -1024\)"):
        read_volume(path)

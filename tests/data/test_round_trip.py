"""The same phantom under every header: the same array, and the prediction over the image in other programs' terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose as Chain
from monai.transforms import EnsureChannelFirstd, Invertd, Orientationd
from scipy.spatial.transform import Rotation

from monai_sg.data.images import LoadRecordd
from monai_sg.data.readers.reading import header_of
from monai_sg.data.readers.volumes import read_volume
from monai_sg.data.saving import SavePredictiond
from tests.data.conftest import WriteSeries

SHAPE, SPACING = (16, 14, 12), (2.0, 3.0, 4.0)
MARKED = (11, 4, 8)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
Axes = tuple[tuple[int, ...], tuple[int, ...]]
ORDERS: list[Axes] = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]
CODES = {"sform": (1, 0), "qform": (0, 1), "both": (4, 2)}
FORMATS = [*CODES, "nrrd", "mha", "dicom", "sheared"]
SHEAR = 1.5  # half a voxel per slice, 20 degrees


def phantom() -> np.ndarray:
    """Return blocks without symmetry in HU, in RAS, and one voxel of metal."""
    values = np.full(SHAPE, -1000, np.int16)
    values[2:14, 2:11, 1:11] = 40
    values[3:7, 3:9, 3:9] = -800
    values[9:13, 7:10, 2:5] = 300
    values[MARKED] = 2000
    return values


def placed(oblique: bool = False, shear: float = 0.0) -> np.ndarray:
    """Return the affine of the phantom, voxel to RAS mm."""
    turn = Rotation.from_euler("xyz", [8, -6, 11], degrees=True).as_matrix() if oblique else np.eye(3)
    columns = turn @ np.diag(SPACING)
    columns[:, 2] += columns[:, 1] / SPACING[1] * shear
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, [-20.0, 35.0, 110.0]
    return affine


def stored(
    values: np.ndarray, affine: np.ndarray, order: tuple[int, ...], signs: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return voxels and affine with the axes in another order and direction, the same place."""
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    flips = tuple(slice(None, None, sign) for sign in signs)
    for place, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        turn[axis, place] = sign
        turn[axis, 3] += values.shape[axis] - 1 if sign < 0 else 0
    return np.ascontiguousarray(values.transpose(order)[flips]), affine @ turn


def write_nifti(path: Path, values: np.ndarray, affine: np.ndarray, codes: tuple[int, int]) -> Path:
    header = nib.Nifti1Header()
    header.set_data_dtype(values.dtype)
    header.set_qform(affine if codes[1] else np.eye(4), code=codes[1])
    header.set_sform(affine if codes[0] else np.zeros((4, 4)), code=codes[0])
    header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    path.write_bytes(nib.Nifti1Image(values, None, header).to_bytes())
    assert [int(nib.load(path).header[name]) for name in ("sform_code", "qform_code")] == list(codes)
    return path


def write_itk(path: Path, values: np.ndarray, affine: np.ndarray) -> Path:
    image = itk.image_from_array(np.ascontiguousarray(values.T))
    lps = LPS @ affine
    lengths = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(lengths.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection(itk.matrix_from_array(np.ascontiguousarray(lps[:3, :3] / lengths)))
    itk.imwrite(image, str(path), compression=True)
    return path


def predict(source: Path, folder: Path, series: str | None = None) -> Path:
    """Read as inference does, find the metal, bring it back and save it."""
    record = {"image": str(source), "id": "case", **({"series": series} if series else {})}
    chain = Chain(
        [LoadRecordd("image"), EnsureChannelFirstd("image"), Orientationd("image", axcodes="RAS", labels=None)]
    )
    item = chain(record)
    item["pred"] = (item["image"] > 1000).float()
    item = Invertd("pred", chain, orig_keys="image", nearest_interp=True)(item)
    SavePredictiond("pred", output_dir=folder, output_postfix="mask", separate_folder=False, output_dtype=np.uint8)(
        item
    )
    (saved,) = folder.glob("*.nii.gz")
    return saved


def places_of(path: Path) -> Iterator[np.ndarray]:
    """Yield where the mask is in RAS mm, as nibabel and as ITK say it."""
    image = nib.load(path)
    voxels = np.argwhere(np.asarray(image.dataobj) > 0)
    yield nib.affines.apply_affine(image.affine, voxels).mean(axis=0)
    read = itk.imread(str(path))
    indices = np.argwhere(itk.array_from_image(read) > 0)[:, ::-1]
    points = [read.TransformIndexToPhysicalPoint([int(number) for number in index]) for index in indices]
    yield np.array(points).mean(axis=0) * [-1, -1, 1]


Write = Callable[[str, Axes, bool], tuple[Path, str | None]]


@pytest.fixture
def write(tmp_path: Path, write_series: WriteSeries) -> Write:
    """Write the phantom with its axes in an order and direction; returns source and series."""

    def write(form: str, axes: Axes, oblique: bool) -> tuple[Path, str | None]:
        values, affine = stored(phantom(), placed(oblique, SHEAR if form == "sheared" else 0.0), *axes)
        folder = tmp_path / f"{form} {axes} {oblique}"
        if form == "dicom":
            return folder, write_series(folder, values, affine=affine)
        folder.mkdir()
        if form in ("nrrd", "mha"):
            return write_itk(folder / f"a.{form}", values, affine), None
        return write_nifti(folder / "a.nii", values, affine, CODES.get(form, (1, 0))), None

    return write


def check_array(source: Path, series: str | None, reference: Path | None, oblique: bool, case: str) -> None:
    """The same array and place whatever the order of the axes; sheared slices are put on the same straight grid."""
    volume = read_volume(source, series)
    if reference is None:
        np.testing.assert_array_equal(volume.array, phantom(), case)
        np.testing.assert_allclose(volume.affine, placed(oblique), atol=1e-3, err_msg=case)
        assert volume.spacing == pytest.approx(SPACING, abs=1e-4), case
        assert sorted(header_of(source, series).shape) == sorted(SHAPE), case
        return
    straight = read_volume(reference)
    np.testing.assert_array_equal(volume.array, straight.array, case)
    np.testing.assert_allclose(volume.affine, straight.affine, atol=1e-3, err_msg=case)
    columns = volume.affine[:3, :3] / volume.spacing
    np.testing.assert_allclose(columns.T @ columns, np.eye(3), atol=1e-5, err_msg=case)


def check_prediction(source: Path, series: str | None, form: str, axes: Axes, oblique: bool) -> None:
    """The prediction has grid and codes of the file, and the metal where nibabel and ITK see it in the image."""
    case = f"{form} {axes} {oblique}"
    values, affine = stored(phantom(), placed(oblique, SHEAR if form == "sheared" else 0.0), *axes)
    path = predict(source, source.parent / f"{source.name} predicted", series)
    saved = nib.load(path)
    assert saved.get_data_dtype() == np.uint8, case
    if form != "dicom":  # whose slices are sorted by place
        assert saved.shape == values.shape, case
        np.testing.assert_allclose(saved.affine, affine, atol=1e-3, err_msg=case)
    if form in CODES:
        assert (int(saved.header["sform_code"]), int(saved.header["qform_code"])) == CODES[form], case
    if form == "sheared":  # ITK refuses such a file
        voxels = np.argwhere(np.asarray(saved.dataobj) > 0)
        place = nib.affines.apply_affine(saved.affine, voxels).mean(axis=0)
        np.testing.assert_allclose(place, nib.affines.apply_affine(placed(oblique, SHEAR), MARKED), atol=2.0)
        return
    for place in places_of(path):
        np.testing.assert_allclose(place, nib.affines.apply_affine(placed(oblique), MARKED), atol=1e-2, err_msg=case)


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_array_for_every_order_of_axes(tmp_path: Path, write: Write, form: str) -> None:
    for oblique in (False, True):
        reference, _ = write(form, ORDERS[0], oblique) if form == "sheared" else (None, None)
        for axes in ORDERS[:: 4 if form == "dicom" else 1]:  # all of DICOM, below, takes longer
            source, series = (reference, None) if reference and axes == ORDERS[0] else write(form, axes, oblique)
            check_array(source, series, reference, oblique, f"{form} {axes} {oblique}")


def test_the_prediction_lies_over_the_image_for_every_order_of_axes(write: Write) -> None:
    for number, axes in enumerate(ORDERS):
        form, oblique = FORMATS[number % len(FORMATS)], bool(number // len(FORMATS) % 2)
        check_prediction(*write(form, axes, oblique), form, axes, oblique)


@pytest.mark.slow
@pytest.mark.parametrize("oblique", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize("form", FORMATS)
def test_the_prediction_lies_over_the_image_in_every_format(write: Write, form: str, oblique: bool) -> None:
    for axes in ORDERS:
        check_prediction(*write(form, axes, oblique), form, axes, oblique)

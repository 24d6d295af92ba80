"""The same phantom under every header: the same array, and the prediction over the image in other programs' terms."""

from __future__ import annotations

from collections.abc import Iterator
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
ORDERS = [(order, signs) for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]
NAMES = ["".join("xyz"[axis] if sign > 0 else "XYZ"[axis] for axis, sign in zip(*each, strict=True)) for each in ORDERS]


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


def check(source: Path, folder: Path, affine: np.ndarray, series: str | None = None) -> Path:
    volume = read_volume(source, series)
    np.testing.assert_array_equal(volume.array, phantom())
    np.testing.assert_allclose(volume.affine, affine, atol=1e-3)
    assert volume.spacing == pytest.approx(SPACING, abs=1e-4)
    assert sorted(header_of(source, series).shape) == sorted(SHAPE)
    saved = predict(source, folder / "out", series)
    for place in places_of(saved):
        np.testing.assert_allclose(place, nib.affines.apply_affine(affine, MARKED), atol=1e-2)
    return saved


@pytest.mark.parametrize("oblique", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (4, 2)], ids=["sform", "qform", "both"])
@pytest.mark.parametrize(("order", "signs"), ORDERS, ids=NAMES)
def test_nifti(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...], codes: tuple[int, int], oblique: bool
) -> None:
    values, affine = stored(phantom(), placed(oblique), order, signs)
    source = write_nifti(tmp_path / "a.nii", values, affine, codes)
    saved = nib.load(check(source, tmp_path, placed(oblique)))
    assert (int(saved.header["sform_code"]), int(saved.header["qform_code"])) == codes
    assert saved.shape == values.shape
    assert saved.get_data_dtype() == np.uint8
    np.testing.assert_allclose(saved.affine, affine, atol=1e-3)


@pytest.mark.parametrize("oblique", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize(("order", "signs"), ORDERS, ids=NAMES)
def test_nrrd_and_metaimage(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...], suffix: str, oblique: bool
) -> None:
    values, affine = stored(phantom(), placed(oblique), order, signs)
    saved = nib.load(check(write_itk(tmp_path / f"a{suffix}", values, affine), tmp_path, placed(oblique)))
    assert saved.shape == values.shape
    np.testing.assert_allclose(saved.affine, affine, atol=1e-3)


@pytest.mark.parametrize("oblique", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize(("order", "signs"), ORDERS, ids=NAMES)
def test_dicom(
    tmp_path: Path,
    write_series: WriteSeries,
    order: tuple[int, ...],
    signs: tuple[int, ...],
    oblique: bool,
) -> None:
    values, affine = stored(phantom(), placed(oblique), order, signs)
    series = write_series(tmp_path / "exam", values, affine=affine)
    check(tmp_path / "exam", tmp_path, placed(oblique), series)


@pytest.mark.parametrize("oblique", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize(("order", "signs"), ORDERS, ids=NAMES)
def test_sheared_nifti(tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...], oblique: bool) -> None:
    values, affine = stored(phantom(), placed(oblique, shear=1.5), order, signs)  # half a voxel per slice, 20 degrees
    source = write_nifti(tmp_path / "a.nii", values, affine, (1, 0))
    reference = read_volume(write_nifti(tmp_path / "b.nii", phantom(), placed(oblique, shear=1.5), (1, 0)))
    volume = read_volume(source)
    np.testing.assert_array_equal(volume.array, reference.array)
    np.testing.assert_allclose(volume.affine, reference.affine, atol=1e-3)
    assert header_of(source).shape[int(np.argmax(np.array(order) == 2))] == SHAPE[2]
    columns = volume.affine[:3, :3] / volume.spacing
    np.testing.assert_allclose(columns.T @ columns, np.eye(3), atol=1e-5)
    saved = nib.load(predict(source, tmp_path / "out"))
    assert saved.shape == values.shape, "the prediction lies on the sheared voxels of the file"
    np.testing.assert_allclose(saved.affine, affine, atol=1e-3)
    voxels = np.argwhere(np.asarray(saved.dataobj) > 0)
    place = nib.affines.apply_affine(saved.affine, voxels).mean(axis=0)
    np.testing.assert_allclose(place, nib.affines.apply_affine(placed(oblique, shear=1.5), MARKED), atol=2.0)

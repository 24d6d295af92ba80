from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pytest
from monai.data import MetaTensor
from monai.transforms import EnsureChannelFirst, Orientation, SaveImage
from PIL import Image

from monai_sg.data.cache.opening import open_cache
from monai_sg.data.datasets.any_folder import scan_folder
from monai_sg.data.images import LoadRecordd, image_records, labelled_records
from monai_sg.data.readers.formats import UnusableImageError
from monai_sg.data.records import Datalist
from tests.data.conftest import WriteSeries, ct_like, write_nifti

BROKEN = np.where(ct_like(seed=1) < -900, np.nan, ct_like(seed=1) / 3).astype(np.float32)


def loaded(path: Path, key: str = "image", **more: Any) -> MetaTensor:
    """Return an image of a record, channels first."""
    image = EnsureChannelFirst()(LoadRecordd(key)({key: str(path), **more})[key])
    assert isinstance(image, MetaTensor)
    return image


def write_lsa(folder: Path) -> None:
    image = nib.Nifti1Image(BROKEN, np.diag([2.0, 3.0, 4.0, 1.0]))
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.orientations.axcodes2ornt("LSA"))
    nib.save(image.as_reoriented(turn), folder / "a.nii.gz")


def write_mhd(folder: Path) -> None:
    image = itk.image_from_array(np.ascontiguousarray(ct_like().T))
    image.SetSpacing([0.5, 0.75, 2.5])
    image.SetOrigin([10.0, -20.0, 5.0])
    itk.imwrite(image, str(folder / "a.mhd"))


def write_npy(folder: Path) -> None:
    np.save(folder / "a.npy", BROKEN)
    (folder / "spacing.txt").write_text("0.7 0.7 2.5")


def write_stack(folder: Path) -> None:
    for index in range(9):
        slice_ = np.hypot(*np.mgrid[-10:10, -8:8]) * (index + 2)
        Image.fromarray(slice_.astype(np.uint8)).save(folder / f"slice_{index}.png")
    (folder / "spacing.txt").write_text("0.7 0.8 2.5")


def write_picture(folder: Path) -> None:
    grey = ct_like((20, 30)).astype(np.uint8)
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(folder / "a.png")


@pytest.mark.parametrize("write", [write_lsa, write_mhd, write_npy, write_stack, write_picture, "series", "film"])
def test_the_cache_and_the_transform_give_the_same_image(
    tmp_path: Path, write_series: WriteSeries, write: Callable[[Path], None] | str
) -> None:
    (tmp_path / "data/exam").mkdir(parents=True)
    if callable(write):
        write(tmp_path / "data/exam")
    elif write == "series":
        write_series(tmp_path / "data/exam", ct_like())
    else:
        write_series(
            tmp_path / "data/exam", ct_like((12, 10, 1)), Modality="DX", PhotometricInterpretation="MONOCHROME1"
        )
    datalist = scan_folder(tmp_path / "data", progress=False)
    (record,) = image_records(datalist, tmp_path / "data")
    image = loaded(Path(record.pop("image")), **record)
    if image.ndim == 4:
        image = Orientation(axcodes="RAS", labels=None)(image)
    cache = open_cache(datalist, tmp_path / "data", tmp_path / "cache", progress=False)
    entry = cache.entry(record["id"])
    values = cache.read_box(record["id"], [[0, length] for length in entry.shape])
    np.testing.assert_allclose(image[0], values, atol=entry.scales[0] / 2 if entry.scales[0] != 1 else 0.0)
    np.testing.assert_allclose(image.affine, entry.affine, atol=1e-5)
    np.testing.assert_allclose(image.pixdim[: len(entry.shape)], entry.spacing, atol=1e-5)


def test_each_series_of_a_folder_is_read_under_its_own_id(tmp_path: Path, write_series: WriteSeries) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-900, 900, (16, 12, 9), dtype=np.int16) for _ in range(2)]
    wanted = {write_series(tmp_path / "scan", array, suffix=f"_{n}.dcm"): array for n, array in enumerate(arrays)}
    records = image_records(scan_folder(tmp_path, progress=False), tmp_path)
    assert {record["series"] for record in records} == set(wanted)
    for record in records:
        image = EnsureChannelFirst()(LoadRecordd("image")(record)["image"])
        assert image.meta["filename_or_obj"] == f"{record['id']}.nii"
        np.testing.assert_array_equal(image[0], wanted[record["series"]][::-1, ::-1], "in the order of its slices")
    with pytest.raises(UnusableImageError, match=r"holds 2 series, such as .*; name one as `series`"):
        loaded(tmp_path / "scan")


def test_the_only_series_of_a_folder_needs_no_name(tmp_path: Path, write_series: WriteSeries) -> None:
    write_series(tmp_path / "exam", ct_like())
    np.testing.assert_array_equal(loaded(tmp_path / "exam")[0], ct_like()[::-1, ::-1])
    datalist = Datalist([{"image": "exam", "id": "a", "patient": "a"}])
    cache = open_cache(datalist, tmp_path, tmp_path / "cache", progress=False)
    np.testing.assert_array_equal(cache.array("a"), ct_like())


def test_a_file_keeps_its_own_axes(tmp_path: Path) -> None:
    array = np.arange(16 * 12 * 9, dtype=np.int16).reshape(16, 12, 9)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, -2.0, 3.0, 1.0])), tmp_path / "image.nii.gz")
    (record,) = image_records(scan_folder(tmp_path, progress=False), tmp_path)
    assert "series" not in record
    image = LoadRecordd("image")(record)["image"]
    np.testing.assert_array_equal(image, array)
    assert image.affine.diagonal().tolist() == pytest.approx([-1, -2, 3, 1])
    assert image.meta["spatial_shape"].tolist() == [16, 12, 9]
    item = LoadRecordd("image", image_only=False)(record)
    assert item["image_meta_dict"]["spatial_shape"].tolist() == [16, 12, 9]


def test_channels_come_first(tmp_path: Path) -> None:
    array = np.stack([ct_like(seed=seed) for seed in range(4)], axis=-1)
    image = loaded(write_nifti(tmp_path / "a.nii.gz", array))
    np.testing.assert_array_equal(image, array.transpose(3, 0, 1, 2))
    colours = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    np.testing.assert_array_equal(loaded(tmp_path / "a.png"), colours.transpose(2, 1, 0))
    for name, number in (("a.nii.gz", 4), ("a.png", 3)):
        datalist = Datalist([{"image": name, "id": "a", "patient": "a"}])
        with pytest.raises(ValueError, match=f"a has {number} channels; images with 1 are used"):
            open_cache(datalist, tmp_path, tmp_path / "cache", progress=False)
        cache = open_cache(datalist, tmp_path, tmp_path / "cache", progress=False, channels=number)
        np.testing.assert_array_equal(loaded(tmp_path / name), cache.array("a"))


def test_channels_may_lie_in_files_of_their_own(tmp_path: Path) -> None:
    first, pair = ct_like(seed=1), np.stack([ct_like(seed=2), ct_like(seed=3)], axis=-1)
    paths = [str(write_nifti(tmp_path / f"{name}.nii.gz", array)) for name, array in (("a", first), ("b", pair))]
    image = EnsureChannelFirst()(LoadRecordd("image")({"image": paths, "id": "case"})["image"])
    np.testing.assert_array_equal(image, np.stack([first, *np.moveaxis(pair, -1, 0)]))
    assert image.meta["filename_or_obj"] == "case.nii"


def test_the_key_label_is_read_exactly(tmp_path: Path) -> None:
    empty = np.zeros((12, 10, 9, 1), dtype=np.uint8)
    assert loaded(write_nifti(tmp_path / "empty.nii.gz", empty), "label").shape == (1, 12, 10, 9)


@pytest.mark.parametrize("name", ["sub-01/ct", "sub-02/ct", "scan.v1", "scan.v2", "../../a", "a%2Fb", "a/b"])
def test_what_is_saved_is_named_by_the_id(tmp_path: Path, name: str) -> None:
    path = write_nifti(tmp_path / "data/ct.nii.gz", ct_like())
    image = loaded(path, id=name)
    SaveImage(tmp_path / "out", output_postfix="liver", print_log=False)(image)
    own = name.replace("%", "%25").replace("/", "%2F")
    assert [file.relative_to(tmp_path) for file in tmp_path.rglob("*liver*")] == [Path(f"out/{own}/{own}_liver.nii.gz")]


def test_an_image_without_id_keeps_the_name_of_its_file(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "ct.nii.gz", ct_like())
    assert loaded(path).meta["filename_or_obj"] == str(path)


@pytest.mark.parametrize(
    ("shape", "offset", "what"),
    [((12, 10, 10), 0.0, "shape"), ((12, 10, 9), 0.1, "position or orientation")],
)
def test_channels_on_different_grids_are_refused(
    tmp_path: Path, shape: tuple[int, ...], offset: float, what: str
) -> None:
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[2, 3] = offset  # of 4 mm; less than 0.04 mm would be the same place
    paths = [write_nifti(tmp_path / "a.nii", ct_like()), write_nifti(tmp_path / "b.nii", ct_like(shape), affine)]
    with pytest.raises(UnusableImageError, match=rf"b\.nii has another {what} than a\.nii; resample them to one grid"):
        LoadRecordd("image")({"image": [str(path) for path in paths]})


def test_records_have_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"image": "images/a.nii", "label": "labels/a.nii", "id": "a", "patient": "p", "site": "ignored"}
    monkeypatch.chdir(tmp_path)
    assert labelled_records(Datalist(test=[record]), "data", "test") == [
        {"image": f"{tmp_path}/data/images/a.nii", "label": f"{tmp_path}/data/labels/a.nii", "id": "a", "patient": "p"}
    ]
    assert labelled_records(Datalist(test=[{**record, "series": "1.2"}]), "data", "test")[0]["series"] == "1.2"
    assert labelled_records(Datalist(test=[record]), "data", "validation") == []
    with pytest.raises(ValueError, match=r"no training images \(0 training, 0 validation, 1 test\)"):
        labelled_records(Datalist(test=[record]), "data", "training")
    with pytest.raises(ValueError, match="split is 'train'; a data list has"):
        labelled_records(Datalist(), "data", "train")


def test_a_fraction_keeps_whole_patients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    records = [
        {"image": "i", "label": "l", "id": f"{patient}_{scan}", "patient": str(patient)}
        for patient in range(10)
        for scan in range(2)
    ]
    validation = [{"image": "i", "label": "l", "id": f"v{n}", "patient": f"v{n}"} for n in range(5)]
    datalist = Datalist(training=records, validation=validation, test=[{**validation[0], "id": "t", "patient": "t"}])
    kept = [{record["id"] for record in labelled_records(datalist, ".", "training", share)} for share in (0.1, 0.25, 1)]
    assert [len(names) for names in kept] == [2, 6, 20]
    assert kept[0] < kept[1] < kept[2]
    assert caplog.messages == [
        "label_fraction 0.1: 1 of 10 training patients and 1 of 5 validation patients, 2 labelled patients in all.",
        "label_fraction 0.25: 3 of 10 training patients and 2 of 5 validation patients, 5 labelled patients in all.",
    ]
    assert len(labelled_records(datalist, ".", "validation", 0.25)) == 2
    assert len(labelled_records(datalist, ".", "test", 0.25)) == 1
    other = {record["id"] for record in labelled_records(datalist, ".", "training", 0.1, seed=1)}
    assert other != kept[0]


def test_paths_of_channels_and_labels_that_are_classes(tmp_path: Path) -> None:
    record = {"image": ["flair.nii", "t1.nii"], "label": [0, 1], "id": "a", "patient": "p"}
    datalist = Datalist(training=[record], classes=["x", "y"])
    (found,) = labelled_records(datalist, tmp_path, "training")
    assert found == {**record, "image": [f"{tmp_path}/flair.nii", f"{tmp_path}/t1.nii"]}
    assert image_records(datalist, tmp_path) == [{"image": found["image"], "id": "a"}]


def test_a_record_without_label_is_named() -> None:
    record = {"image": "a.nii.gz", "id": "a", "patient": "a"}
    datalist = Datalist(training=[{**record, "label": 0}, {**record, "id": "b"}])
    with pytest.raises(ValueError, match=r"data has no label for b \(1 of 2 records lack one\)"):
        labelled_records(datalist, "data", "training")

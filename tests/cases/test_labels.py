from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_sg.data.cache.label_maps import labels_on_image
from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.utils.errors import UserError
from tests.cases.outcome import AFFINE, SHAPE, hu, outcome, prepared, write

Change = Callable[[np.ndarray, int], np.ndarray]


def _labels(values: tuple[int, ...] = (1, 2)) -> np.ndarray:
    label = np.zeros(SHAPE, np.uint8)
    for place, value in enumerate(values):
        label[3 + 2 * place : 5 + 2 * place, 4:9, 3:8] = value
    return label


def _pairs(folder: Path, change: Change, number: int = 5) -> Path:
    for each in range(number):
        write(folder / f"images/case_{each}.nii.gz", each)
        write(folder / f"labels/case_{each}.nii.gz", values=change(_labels(), each))
    return folder


def _scaled(path: Path, label: np.ndarray) -> list[float]:
    """Save a label of floats with an int16 header, as nibabel does for one that was given the header of its CT."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(label.astype(np.float64), AFFINE, header), path)
    return np.unique(np.asanyarray(nib.load(path).dataobj)).tolist()


@pytest.mark.parametrize(
    ("values", "chosen", "known"), [((1, 2), [1, 2], [0, 1, 2]), ((1, 2, 3, 14), [3], [0, 1, 2, 3, 14])]
)
def test_labels_that_come_back_as_fractions_are_the_whole_numbers_they_stand_for(
    tmp_path: Path, values: tuple[int, ...], chosen: list[int], known: list[int]
) -> None:
    data = tmp_path / "data"
    for number in range(5):
        write(data / f"images/case_{number}.nii.gz", number)
        found = _scaled(data / f"labels/case_{number}.nii.gz", _labels(values))
    assert found != sorted({0, *values}), "the file holds fractions, as nibabel reads it"
    images = prepared(data, tmp_path / "cache", chosen, known)
    assert len(images) == 3
    wanted = np.isin(_labels(values), chosen)
    np.testing.assert_array_equal(images.prepared(0)["label"][0], wanted)
    cache = outcome(data / "images", tmp_path / "boxes").cache
    onto = labels_on_image(data / "labels/case_0.nii.gz", cache.entry("case_0"))
    assert np.unique(onto).tolist() == [0, *values]
    np.testing.assert_array_equal(onto, _labels(values)[::-1, ::-1])


def test_a_half_is_refused_and_shown(tmp_path: Path) -> None:
    half: Change = lambda label, number: np.where(label == 2, 0.5, label).astype(np.float32)  # noqa: E731
    with pytest.raises(UserError, match=r"labels/case_\d.nii.gz, which holds the label values \[0\.5\], which are not"):
        prepared(_pairs(tmp_path / "data", half), tmp_path / "cache", [1])


def _lesion(number: int) -> np.ndarray:
    rows, columns = np.mgrid[0:48, 0:48]
    return np.hypot(rows - 20 - number, columns - 24) < 12


def _masks(folder: Path, save: Callable[[np.ndarray, Path], None], ending: str = ".png", number: int = 6) -> Path:
    for each in range(number):
        for name in ("images", "labels"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(each)
        picture = np.where(_lesion(each), 90, 200) + rng.integers(0, 30, (48, 48))
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"images/ISIC_{each:07d}.jpg", quality=97)
        save(_lesion(each), folder / f"labels/ISIC_{each:07d}{ending}")
    return folder


def _grey(mask: np.ndarray) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255)


def _resized(mask: np.ndarray, path: Path) -> None:
    small = _grey(mask).resize((36, 36), Image.Resampling.BILINEAR)
    small.resize((48, 48), Image.Resampling.BILINEAR).save(path)


GOOD: dict[str, tuple[Callable[[np.ndarray, Path], None], str, int]] = {
    "0_255": (lambda mask, path: _grey(mask).save(path), ".png", 255),
    "rgb": (lambda mask, path: _grey(mask).convert("RGB").save(path), ".png", 255),
    "rgba": (lambda mask, path: _grey(mask).convert("RGBA").save(path), ".png", 255),
    "one_bit": (lambda mask, path: _grey(mask).convert("1").save(path), ".png", 1),
    "tiff": (lambda mask, path: _grey(mask).save(path), ".tif", 255),
    "named": (lambda mask, path: _grey(mask).save(path), "_segmentation.png", 255),
}


@pytest.mark.parametrize("kind", GOOD)
def test_masks_as_people_store_them(tmp_path: Path, kind: str) -> None:
    save, ending, value = GOOD[kind]
    data = _masks(tmp_path / "data", save, ending)
    images = prepared(data, tmp_path / "cache", [value], [0, value])
    assert len(images) == 4
    datalist = LabelledFolder(progress=False).read(data)
    number = int(datalist.training[0]["image"][-5])
    np.testing.assert_array_equal(images.prepared(0)["label"][0], _lesion(number).T)


def held_out(data: Path) -> list[int]:
    datalist = LabelledFolder(progress=False).read(data)
    return [int(record["id"][-7:]) for record in (*datalist.validation, *datalist.test)]


@pytest.mark.parametrize("kind", ["resized", "jpeg"])
def test_masks_with_grey_edges_are_named_with_a_remedy_in_few_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    save = _resized if kind == "resized" else lambda mask, path: _grey(mask).save(path, quality=60)
    data = _masks(tmp_path / "data", save, ".jpg" if kind == "jpeg" else ".png", number=30)
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(UserError, match="None of the") as error,
    ):
        prepared(data, tmp_path / "cache", [255], [0, 255])
    sentence = str(error.value)
    assert re.search(r"labels/ISIC_\d+\.(png|jpg), which has grey edges: \d+ values such as \[\d", sentence)
    assert "set what is 128 or more to 255, the rest to 0, and save it as PNG" in sentence
    said = [record for record in caplog.records if record.name.startswith("monai_sg.data.left_out")]
    assert len(said) + len(sentence.splitlines()) <= 10
    assert all(f"ISIC_{number:07d}" in caplog.text for number in range(30) if number not in {*held_out(data)})


def test_another_value_is_named_with_the_flags_that_take_it(tmp_path: Path) -> None:
    data = _masks(tmp_path / "data", GOOD["0_255"][0])
    with pytest.raises(UserError, match=r"\[255\], which are none of \[0, 1, 2\].*--foreground .*\[255\].*\[0,255\]"):
        prepared(data, tmp_path / "cache", [1, 2], [0, 1, 2])


def test_empty_labels_train_and_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = _pairs(tmp_path / "data", lambda label, number: label * (number != 2))
    with caplog.at_level(logging.WARNING):
        images = prepared(data, tmp_path / "cache", [1, 2], [0, 1, 2])
    empty = {"case_2"} & {record["id"] for record in images.data}
    named = {name for name in (f"case_{number}" for number in range(5)) if f"{name}: no voxel" in caplog.text}
    assert named == empty
    assert len(images) == 3
    assert len(images.empty_labels) == len(empty)


def test_values_that_only_others_have_are_told(tmp_path: Path) -> None:
    images = prepared(_pairs(tmp_path / "data", lambda label, number: np.minimum(label, 1)), tmp_path / "c", [2])
    assert images.empty_labels == [[0, 1]] * 3, "by which a training without any foreground stops"


def test_an_image_in_the_place_of_a_label_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = _pairs(tmp_path / "data", lambda label, number: hu(number) if number in (0, 1, 2) else label)
    with caplog.at_level(logging.WARNING):
        images = prepared(data, tmp_path / "cache", [1, 2], [0, 1, 2])
    spoilt = {f"case_{number}" for number in (0, 1, 2)}
    assert not spoilt & {record["id"] for record in images.data}
    assert re.search(r"labels/case_[012].nii.gz, which looks like an image, not a label map: it holds \d+", caplog.text)


def test_one_voxel_is_enough(tmp_path: Path) -> None:
    def one(label: np.ndarray, number: int) -> np.ndarray:
        single = np.zeros_like(label)
        single[5, 6, 7] = 1
        return single

    images = prepared(_pairs(tmp_path / "data", one), tmp_path / "cache", [1])
    assert [int(images.prepared(index)["label"].sum()) for index in range(3)] == [1, 1, 1]


def test_nan_around_a_label_is_refused_with_a_remedy(tmp_path: Path) -> None:
    around: Change = lambda label, number: np.where(label > 0, label, np.nan).astype(np.float32)  # noqa: E731
    with pytest.raises(UserError, match=r"holds NaN or infinite values in \d+% .* set them to 0 if they stand for"):
        prepared(_pairs(tmp_path / "data", around), tmp_path / "cache", [1, 2])


@pytest.mark.parametrize(("dtype", "value"), [(np.uint8, 2), (np.int16, -1), (np.uint16, 60000), (np.int32, 70000)])
def test_labels_of_any_integer_type(tmp_path: Path, dtype: type[np.integer], value: int) -> None:
    change: Change = lambda label, number: np.where(label > 0, value, 0).astype(dtype)  # noqa: E731
    images = prepared(_pairs(tmp_path / "data", change), tmp_path / "cache", [value])
    np.testing.assert_array_equal(images.prepared(0)["label"][0], _labels() > 0)

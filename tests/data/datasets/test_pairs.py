from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath

import itk
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monai_sg.data.datasets.pairs import Pair, pair_by_name, usable_pairs
from monai_sg.data.readers.nifti import INTENT_LABEL
from tests.data.conftest import ct_like, write_nifti


def _pair(images: list[str], labels: list[str], image_root: str = "images") -> tuple[dict[str, str], dict[str, str]]:
    pairs, skipped = pair_by_name(
        [PurePosixPath(name) for name in images], [PurePosixPath(name) for name in labels], image_root, "labels"
    )
    reasons = {item["path"]: item["reason"] for item in skipped}
    return {str(pair.image): str(pair.label) for pair in pairs}, reasons


def test_same_name_in_another_format() -> None:
    pairs, reasons = _pair(["images/a.mhd", "images/b.npy"], ["labels/a.nii.gz", "labels/b.nrrd"])
    assert pairs == {"images/a.mhd": "labels/a.nii.gz", "images/b.npy": "labels/b.nrrd"}
    assert reasons == {}


def test_subfolders_tell_equal_names_apart() -> None:
    pairs, _ = _pair(["images/p1/ct.nii", "images/p2/ct.nii"], ["labels/p2/ct.nii", "labels/p1/ct.nii"])
    assert pairs == {"images/p1/ct.nii": "labels/p1/ct.nii", "images/p2/ct.nii": "labels/p2/ct.nii"}


def test_a_name_that_occurs_once_is_found_in_any_subfolder() -> None:
    assert _pair(["scans/p1/ct.nii"], ["labels/checked/ct.nii"], ".") == (
        {"scans/p1/ct.nii": "labels/checked/ct.nii"},
        {},
    )


def test_an_ambiguous_name_is_not_guessed() -> None:
    pairs, reasons = _pair(["images/p1/ct.nii", "images/p2/ct.nii"], ["labels/ct.nii"])
    assert pairs == {}
    assert set(reasons) == {"images/p1/ct.nii", "images/p2/ct.nii", "labels/ct.nii"}


def test_names_of_nnunet() -> None:
    images = ["images/a_0000.nii.gz", "images/a_0001.nii.gz", "images/case_0001.nii.gz", "images/b_0000.nii.gz"]
    pairs, reasons = _pair(images, ["labels/a.nii.gz", "labels/case_0001.nii.gz"])
    assert pairs == {
        "images/a_0000.nii.gz": "labels/a.nii.gz",
        "images/case_0001.nii.gz": "labels/case_0001.nii.gz",
    }
    assert reasons == {
        "images/a_0001.nii.gz": "is channel 0001 of a; one channel is used, a_0000",
        "images/b_0000.nii.gz": "has no label of the same name in labels",
    }


def test_a_label_belongs_to_one_image() -> None:
    pairs, reasons = _pair(["images/a.nii", "images/a_0000.nii"], ["labels/a.nii"])
    assert pairs == {"images/a.nii": "labels/a.nii"}
    assert set(reasons) == {"images/a_0000.nii"}


def test_files_without_partner_are_named() -> None:
    _, reasons = _pair(["images/a.nii", "images/b_seg.nii", "images/c.mha", "images/c.nii"], ["labels/d.nii"])
    assert reasons == {
        "images/a.nii": "has no label of the same name in labels",
        "images/b_seg.nii": "has 'seg' in its name, hence taken for a label map or mask",
        "images/c.mha": "has no label of the same name in labels",
        "images/c.nii": "has the same name as c.mha, which is used",
        "labels/d.nii": "has no image of the same name in images",
    }


def _compare(folder: Path, image: Path, label: Path) -> str | None:
    """Return ``path reason`` of a pair that is left out."""
    pair = Pair(*(PurePosixPath(path.relative_to(folder)) for path in (image, label)))
    usable, skipped = usable_pairs(folder, [pair], progress=False)
    assert usable == ([] if skipped else [pair])
    return f"{skipped[0]['path']} {skipped[0]['reason']}" if skipped else None


def _with_intent(path: Path, array: np.ndarray) -> Path:
    image = nib.Nifti1Image(array, np.eye(4))
    image.header["intent_code"] = INTENT_LABEL
    nib.save(image, path)
    return path


def _cut(path: Path, keep: float = 0.5) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    return path


def test_another_shape_names_both(tmp_path: Path) -> None:
    image = write_nifti(tmp_path / "a.nii.gz", ct_like((12, 10, 9)))
    label = write_nifti(tmp_path / "b.nii.gz", ct_like((12, 10, 8)))
    reason = str(_compare(tmp_path, image, label))
    assert reason.startswith("b.nii.gz has shape (12, 10, 8), but its image has (12, 10, 9); draw or resample it")


def test_equal_shapes_in_different_formats_are_used(tmp_path: Path) -> None:
    image = write_nifti(tmp_path / "a.nii.gz", ct_like((12, 10, 9)))
    itk.imwrite(itk.image_from_array(np.zeros((9, 10, 12), np.uint8)), str(tmp_path / "a.nrrd"))  # z, y, x
    assert _compare(tmp_path, image, tmp_path / "a.nrrd") is None
    np.save(tmp_path / "a.npy", np.zeros((12, 10, 9), np.uint8))
    assert _compare(tmp_path, image, tmp_path / "a.npy") is None


def test_files_that_are_cut_short_are_named(tmp_path: Path) -> None:
    good = write_nifti(tmp_path / "good.nii.gz", ct_like())
    bad = _cut(write_nifti(tmp_path / "bad.nii.gz", ct_like()))
    assert str(_compare(tmp_path, bad, good)).startswith("bad.nii.gz is cut short")
    assert str(_compare(tmp_path, good, bad)).startswith("bad.nii.gz is cut short")
    short = _cut(_with_intent(tmp_path / "label.nii.gz", ct_like()))
    assert str(_compare(tmp_path, good, short)).startswith("label.nii.gz is cut short")


def test_a_header_that_says_label_map_is_right_for_a_label_and_wrong_for_an_image(tmp_path: Path) -> None:
    image = write_nifti(tmp_path / "image.nii.gz", ct_like())
    label = _with_intent(tmp_path / "label.nii.gz", np.ones((12, 10, 9), np.uint8))
    assert _compare(tmp_path, image, label) is None
    assert str(_compare(tmp_path, label, image)).startswith("label.nii.gz is a label map according to its header")


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_masks_of_pictures(tmp_path: Path, mode: str) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (20, 30), dtype=np.uint8)).save(tmp_path / "image.png")
    Image.fromarray(rng.integers(0, 2, (20, 30), dtype=np.uint8) * 255).convert(mode).save(tmp_path / "mask.png")
    assert _compare(tmp_path, tmp_path / "image.png", tmp_path / "mask.png") is None


def test_names_are_compared_composed_and_without_words_for_labels(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "Übung") for form in ("NFC", "NFD"))
    images = [PurePosixPath("images", name) for name in (f"{composed}.nii", "a.nii", "b_0000.nii", "d.nii")]
    names = (f"{apart}.nii", "a_segmentation.nii", "b-mask.nii", "c_seg.nii")
    pairs, skipped = pair_by_name(images, [PurePosixPath("labels", name) for name in names], "images", "labels")
    assert [pair.label.name for pair in pairs] == list(names[:3])
    assert {item["path"] for item in skipped} == {"images/d.nii", "labels/c_seg.nii"}

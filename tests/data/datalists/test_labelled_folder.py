from __future__ import annotations

import logging
from pathlib import Path

import pytest

from monai_sg.data.datalists.labelled_folder import labelled_datalist, labelled_records, open_labelled
from monai_sg.data.phantom.ct import series_uid, write_ct_cohort
from monai_sg.data.records import SPLITS, Datalist
from tests.data.conftest import ct_like, write_nifti


def _write(folder: Path, *names: str) -> Path:
    for name in names:
        write_nifti(folder / name, ct_like())
    return folder


def _pairs(folder: Path, **arguments: object) -> tuple[dict[str, str], dict[str, str]]:
    datalist = labelled_datalist(folder, progress=False, **arguments)  # type: ignore[arg-type]
    pairs = {record["image"]: record["label"] for record in datalist.records}
    return pairs, {item["path"]: item["reason"] for item in datalist.skipped}


def test_medical_decathlon(tmp_path: Path) -> None:
    _write(tmp_path, "imagesTr/a.nii.gz", "labelsTr/a.nii.gz", "imagesTs/b.nii.gz")
    (tmp_path / "dataset.json").write_text("{}")
    assert _pairs(tmp_path) == ({"imagesTr/a.nii.gz": "labelsTr/a.nii.gz"}, {})


def test_nnunet_records_are_named_by_case(tmp_path: Path) -> None:
    _write(tmp_path, "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz")
    record = labelled_datalist(tmp_path, progress=False).training[0]
    assert record == {"image": "imagesTr/a_0000.nii.gz", "label": "labelsTr/a.nii.gz", "id": "a", "patient": "a"}


def test_images_in_a_folder_of_that_name(tmp_path: Path) -> None:
    write_ct_cohort(tmp_path, 2, layout="nifti", shape=(32, 24, 24))
    names = [f"{series_uid(0, number)}.nii.gz" for number in range(2)]
    assert _pairs(tmp_path) == ({f"images/{name}": f"labels/{name}" for name in names}, {})


def test_images_beside_final_labels(tmp_path: Path) -> None:
    _write(tmp_path, "a.nii.gz", "exam/b.nii.gz", "c.nii.gz", "old_masks/a.nii.gz")
    _write(tmp_path, "labels/final/a.nii.gz", "labels/final/b.nii.gz", "labels/original/c.nii.gz")
    assert _pairs(tmp_path) == (
        {"a.nii.gz": "labels/final/a.nii.gz", "exam/b.nii.gz": "labels/final/b.nii.gz"},
        {
            "c.nii.gz": "has no label of the same name in labels/final",
            "old_masks/a.nii.gz": "is in the folder 'old_masks', hence taken for a label map or mask",
        },
    )


def test_files_left_out_are_counted_and_the_first_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _write(tmp_path, "images/a.nii.gz", "labels/a.nii.gz", "images/b.nii.gz", "labels/c.nii.gz", "images/d.nii.gz")
    write_nifti(tmp_path / "labels/d.nii.gz", ct_like((12, 11, 9)))
    _write(tmp_path, "images/e.nii.gz", "labels/e.nii.gz")
    (tmp_path / "labels/e.nii.gz").write_bytes((tmp_path / "labels/a.nii.gz").read_bytes()[:1000])
    pairs, skipped = _pairs(tmp_path)
    assert pairs == {"images/a.nii.gz": "labels/a.nii.gz"}
    assert skipped.pop("labels/e.nii.gz").startswith("is cut short")
    assert skipped == {
        "images/b.nii.gz": "has no label of the same name in labels",
        "labels/c.nii.gz": "has no image of the same name in images",
        "images/d.nii.gz": "has shape (12, 10, 9), but its label labels/d.nii.gz has (12, 11, 9)",
    }
    assert "4 files were left out; the first is images/b.nii.gz, which has no label of the same name" in caplog.text


def test_patients_are_not_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [f"p{patient}_{scan}.nii.gz" for patient in range(5) for scan in range(2)]
    _write(tmp_path, *(f"{folder}/{name}" for folder in ("images", "labels") for name in names))
    datalist = labelled_datalist(tmp_path, patient_pattern=r"/(p\d)_", progress=False)
    assert [len(getattr(datalist, split)) for split in SPLITS] == [6, 2, 2]
    assert all(record["patient"] == record["id"][:2] for record in datalist.records)
    datalist.check("list")
    assert "No patient is known" not in caplog.text
    labelled_datalist(tmp_path, progress=False)
    assert "No patient is known for 10 of 10 images, such as images/p0_0.nii.gz" in caplog.text


def test_without_labels_the_error_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent is not a folder; set it"):
        labelled_datalist(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"Looked for imagesTr and labelsTr, .* Found: nothing\."):
        labelled_datalist(tmp_path)
    _write(tmp_path, "imagesTr/a.nii.gz", "labels_auto/a.nii.gz", "volume-1.nii")
    with pytest.raises(ValueError, match=r"LiTS-2017\)\. Found: imagesTr/, labels_auto/, volume-1\.nii\."):
        labelled_datalist(tmp_path)


def test_no_pair_that_can_be_used(tmp_path: Path) -> None:
    _write(tmp_path, "images/a.nii.gz", "labels/b.nii.gz")
    with pytest.raises(
        ValueError,
        match=r"Found 1 images in .*images and 1 label maps in labels, but no pair .* images/a.nii.gz has no label",
    ):
        labelled_datalist(tmp_path, progress=False)
    (tmp_path / "empty/labels").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"Found 0 images .* No file has a known format\. Known formats: \.nii"):
        labelled_datalist(tmp_path / "empty", progress=False)


def test_open_writes_then_reads(tmp_path: Path) -> None:
    data, path = _write(tmp_path / "data", "images/a.nii.gz", "labels/a.nii.gz"), tmp_path / "out/datalist.json"
    first = open_labelled(path, data)
    assert Datalist.load(path) == first
    _write(data, "images/b.nii.gz", "labels/b.nii.gz")
    assert open_labelled(path, data) == first
    (data / "labels/a.nii.gz").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"lists labels/a.nii.gz, which is not in .* \(1 of 2 files are missing\)"
    ):
        open_labelled(path, data)


def test_open_reads_lits(tmp_path: Path) -> None:
    _write(tmp_path / "data", "volume-7.nii", "segmentation-7.nii", "volume-120.nii", "segmentation-120.nii")
    datalist = open_labelled(tmp_path / "datalist.json", tmp_path / "data", patient_pattern="unused")
    assert [len(getattr(datalist, split)) for split in SPLITS] == [1, 0, 1]


def test_open_refuses_a_list_without_labels(tmp_path: Path) -> None:
    _write(tmp_path, "a.nii.gz")
    records = [{"image": "a.nii.gz", "id": "a", "patient": "a"}]
    path = Datalist(training=[{**records[0], "label": "a.nii.gz"}, {**records[0], "id": "b"}]).save(
        tmp_path / "list.json"
    )
    with pytest.raises(ValueError, match=r"has no label for b \(1 of 2 records lack one\)"):
        open_labelled(path, tmp_path)


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
    datalist = Datalist(training=records)
    kept = [{record["id"] for record in labelled_records(datalist, ".", "training", share)} for share in (0.1, 0.25, 1)]
    assert [len(names) for names in kept] == [2, 6, 20]
    assert kept[0] < kept[1] < kept[2]
    assert caplog.messages == [
        "label_fraction 0.1: 1 of 10 training patients.",
        "label_fraction 0.25: 3 of 10 training patients.",
    ]

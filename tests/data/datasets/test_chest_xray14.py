from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from monai_sg.data.datasets.chest_xray14 import FINDINGS, PARTS, WHOLE, ChestXray14
from monai_sg.data.records import Datalist

HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"


def write_table(folder: Path, rows: Iterable[tuple[str, str, int]]) -> None:
    lines = [HEADER, *(f"{name},{findings},0,{patient},50,F,PA" for name, findings, patient in rows)]
    (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join(lines) + "\n")


def write_lists(folder: Path, **names: Sequence[str]) -> None:
    for name, films in names.items():
        (folder / f"{name}.txt").write_text("\n".join(films) + "\n")


def touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four films as the NIH ships them."""
    write_table(
        tmp_path,
        [
            ("00000001_000.png", "Cardiomegaly|Effusion", 1),
            ("00000001_001.png", "No Finding", 1),
            ("00000002_000.png", "Hernia", 2),
            ("00000003_000.png", "No Finding", 3),
        ],
    )
    write_lists(
        tmp_path,
        train_val_list=["00000001_000.png", "00000001_001.png", "00000003_000.png"],
        test_list=["00000002_000.png"],
    )
    touch(tmp_path, *(f"images_001/images/{name}.png" for name in ("00000001_000", "00000001_001", "00000003_000")))
    touch(tmp_path, "images_002/images/00000002_000.png")
    return tmp_path


def _read(folder: Path, seed: int = 0) -> tuple[Datalist, dict[str, str]]:
    datalist = ChestXray14().read(folder, seed)
    return datalist, {item["path"]: item["reason"] for item in datalist.skipped}


def _findings(label: list[int]) -> list[str]:
    return [name for name, there in zip(FINDINGS, label, strict=True) if there]


def test_official_layout(folder: Path) -> None:
    datalist, skipped = _read(folder)
    assert ChestXray14().matches(folder)
    assert datalist.classes == list(FINDINGS)
    assert {r["id"]: _findings(r["label"]) for r in datalist.records} == {
        "00000001_000": ["Cardiomegaly", "Effusion"],
        "00000001_001": [],
        "00000002_000": ["Hernia"],
        "00000003_000": [],
    }
    assert datalist.test[0]["image"] == "images_002/images/00000002_000.png"
    assert datalist.test[0]["patient"] == "00000002"
    assert len(datalist.training) + len(datalist.validation) == 3
    assert datalist.validation
    assert skipped == {}


def test_validation_is_a_share_of_the_training_patients_whatever_films_are_there(tmp_path: Path) -> None:
    films = [f"{patient:08d}_{number:03d}" for patient in range(200) for number in range(2)]
    write_table(tmp_path, [(f"{film}.png", "Mass", int(film[:8])) for film in films])
    write_lists(tmp_path, train_val_list=films[:320], test_list=films[320:])
    touch(tmp_path, *(f"images/{film}.png" for film in films))
    datalist, _ = _read(tmp_path)
    patients = {split: {r["patient"] for r in getattr(datalist, split)} for split in ("training", "validation", "test")}
    assert [len(patients[split]) for split in ("training", "validation", "test")] == [139, 21, 40]
    assert not patients["training"] & patients["validation"]
    assert {r["patient"] for r in _read(tmp_path, seed=1)[0].validation} != patients["validation"]
    for film in films[:160]:
        (tmp_path / f"images/{film}.png").unlink()
    fewer = {r["patient"] for r in _read(tmp_path)[0].test}
    assert fewer == patients["test"]


def test_rows_and_images_that_have_no_partner_are_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "images_001/images/00000003_000.png").unlink()
    touch(folder, "images_001/images/00000009_000.png", "again/00000002_000.jpg", "images/notes.txt")
    datalist, skipped = _read(folder)
    assert skipped == {
        "images_001/images/00000009_000.png": "has no row in Data_Entry_2017_v2020.csv",
        "images_002/images/00000002_000.png": "is 00000002_000 again; again/00000002_000.jpg is used",
        "Data_Entry_2017_v2020.csv": "has 1 films without a file, such as 00000003_000",
    }
    assert len(datalist.records) == 3
    assert "ChestX-ray14 has 112120, 86524 and 25596" in caplog.text


def test_archives_that_are_missing_from_the_whole_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    films = [f"{number:08d}_000.png" for number in range(sum(PARTS))]
    write_table(tmp_path, [(film, "No Finding", number) for number, film in enumerate(films)])
    write_lists(tmp_path, train_val_list=films[: WHOLE["training"]], test_list=films[WHOLE["training"] :])
    touch(tmp_path, *(f"images_001/images/{film}" for film in films[1:4999]), f"images_012/images/{films[-1]}")
    datalist, skipped = _read(tmp_path)
    assert len(datalist.records) == 4999
    assert skipped["images_001"] == "lacks 1 of its 4999 films, such as 00000000_000"
    assert skipped["images_002"] == "lacks 10000 of its 10000 films, such as 00004999_000, 00005000_000, 00005001_000"
    assert skipped["images_012"].startswith("lacks 7120 of its 7121 films")
    assert len(skipped) == 12
    assert "ChestX-ray14 has 112120" not in caplog.text


def test_lists_in_three_give_findings_where_there_is_no_table(tmp_path: Path) -> None:
    none, mass = " 0" * 14, " 0 0 0 0 1" + " 0" * 9
    write_lists(
        tmp_path,
        train_list=[f"00000001_000.png{none}", f"00000001_001.png{mass}"],
        val_list=[f"00000004_000.png{none}"],
        test_list=[f"00000005_000.png{mass}"],
    )
    touch(tmp_path, *(f"{name}.dcm" for name in ("00000001_000", "00000001_001", "00000004_000", "00000005_000")))
    datalist, _ = _read(tmp_path)
    assert ChestXray14().matches(tmp_path)
    assert [(r["id"], r["patient"], _findings(r["label"])) for r in datalist.training] == [
        ("00000001_000", "00000001", []),
        ("00000001_001", "00000001", ["Mass"]),
    ]
    assert [r["id"] for r in datalist.validation] == ["00000004_000"]
    assert [_findings(r["label"]) for r in datalist.test] == [["Mass"]]


def test_a_list_without_findings_needs_the_table(tmp_path: Path) -> None:
    write_lists(tmp_path, train_list=["00000001_000.png"], val_list=[], test_list=[])
    with pytest.raises(ValueError, match="has nothing behind 00000001_000, not a 0 or 1 for each of 14 findings"):
        _read(tmp_path)


def test_a_patient_in_two_lists_is_refused(folder: Path) -> None:
    write_lists(folder, train_val_list=["00000001_000.png"], test_list=["00000001_001.png", "00000002_000.png"])
    with pytest.raises(ValueError, match="patient 00000001 in"):
        _read(folder)


def test_a_film_in_two_lists_is_refused(folder: Path) -> None:
    write_lists(folder, test_list=["00000001_000.png"])
    with pytest.raises(ValueError, match="has 00000001_000, which is a training film"):
        _read(folder)


def test_what_is_missing_is_named(folder: Path) -> None:
    (folder / "test_list.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"test_list.txt is not there, which lists the test films"):
        _read(folder)


def test_no_film(folder: Path) -> None:
    for path in list(folder.rglob("*.png")):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"none of the 4 films .* images_001\.tar\.gz"):
        _read(folder)


@pytest.mark.parametrize(
    ("row", "message"),
    [("00000001_000.png,Measles,0,1,5,F,PA", "line 2, has the finding 'Measles'"), (None, "no column 'Image Index'")],
)
def test_a_table_of_another_kind(folder: Path, row: str | None, message: str) -> None:
    (folder / "Data_Entry_2017_v2020.csv").write_text(f"{HEADER}\n{row}\n" if row else "image,label\na,1\n")
    with pytest.raises(ValueError, match=message):
        _read(folder)

from __future__ import annotations

import logging

import pytest

from monai_sg.data.splits import split_by_patient


def _records(num_patients: int, images_each: int = 2) -> list[dict[str, str]]:
    return [
        {"id": f"{patient}_{image}", "patient": f"p{patient}"}
        for patient in range(num_patients)
        for image in range(images_each)
    ]


def _patients(records: list[dict[str, str]]) -> set[str]:
    return {record["patient"] for record in records}


@pytest.mark.parametrize(
    ("num_patients", "expected"),
    [
        (1, (1, 0, 0)),
        (2, (1, 1, 0)),
        (3, (2, 1, 0)),
        (4, (3, 1, 0)),
        (5, (3, 1, 1)),
        (20, (14, 3, 3)),
        (100, (70, 15, 15)),
    ],
)
def test_numbers_of_patients(num_patients: int, expected: tuple[int, int, int]) -> None:
    splits = split_by_patient(_records(num_patients))
    assert tuple(len(_patients(splits[name])) for name in ("training", "validation", "test")) == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_patient_is_never_cut(seed: int) -> None:
    records = _records(17, images_each=3)
    splits = split_by_patient(records, seed=seed)
    parts = [_patients(part) for part in splits.values()]
    assert sum(len(part) for part in parts) == 17
    assert sum(len(part) for part in splits.values()) == len(records)


def test_split_depends_on_the_seed_and_not_on_the_order() -> None:
    records = _records(30)
    first = split_by_patient(records, seed=1)
    assert {name: _patients(part) for name, part in split_by_patient(records[::-1], seed=1).items()} == {
        name: _patients(part) for name, part in first.items()
    }
    assert _patients(split_by_patient(records, seed=2)["test"]) != _patients(first["test"])
    assert [record["id"] for record in first["training"]] == [
        record["id"] for record in records if record in first["training"]
    ]


def test_few_patients_are_explained(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    split_by_patient(_records(1))
    split_by_patient(_records(3))
    assert "There is one patient" in caplog.text
    assert "none for the test split" in caplog.text.replace("\n", " ")


def test_no_test_split_wanted() -> None:
    splits = split_by_patient(_records(10), fractions=(0.8, 0.2, 0))
    assert [len(_patients(part)) for part in splits.values()] == [8, 2, 0]


def test_training_keeps_a_patient_whatever_the_fractions() -> None:
    splits = split_by_patient(_records(5), fractions=(0.0, 0.5, 0.5))
    assert len(_patients(splits["training"])) == 1


def test_wrong_fractions_and_no_records() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        split_by_patient(_records(3), fractions=(0.7, 0.7, 0.1))
    with pytest.raises(ValueError, match="no records"):
        split_by_patient([])

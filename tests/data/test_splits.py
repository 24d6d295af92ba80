from __future__ import annotations

import logging

import pytest

from monai_sg.data.splits import nested_subset, split_by_patient


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


@pytest.mark.parametrize(
    ("fraction", "num_patients", "expected"),
    [(0.1, 100, 10), (0.07, 100, 7), (0.1, 15, 2), (0.01, 5, 1), (0.25, 30, 8), (1.0, 3, 3), (1, 7, 7), (0.5, 0, 0)],
)
def test_a_fraction_is_rounded_up_to_whole_patients(fraction: float, num_patients: int, expected: int) -> None:
    kept = nested_subset(_records(num_patients), fraction)
    assert len(_patients(kept)) == expected
    assert len(kept) == 2 * expected


@pytest.mark.parametrize("seed", range(3))
def test_a_smaller_fraction_is_part_of_a_larger_one(seed: int) -> None:
    records = _records(40)
    kept = [_patients(nested_subset(records, fraction, seed)) for fraction in (0.1, 0.25, 0.5, 1.0)]
    assert [len(patients) for patients in kept] == [4, 10, 20, 40]
    assert kept[0] < kept[1] < kept[2] < kept[3]


def test_a_fraction_depends_on_the_seed_and_not_on_the_order() -> None:
    records = _records(40)
    first = nested_subset(records, 0.25, seed=1)
    assert first == [record for record in records if record["patient"] in _patients(first)]
    assert _patients(nested_subset(records[::-1], 0.25, seed=1)) == _patients(first)
    assert _patients(nested_subset(records, 0.25, seed=2)) != _patients(first)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, float("nan")])
def test_fractions_that_are_none(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"fraction is .*; give a share of the patients above 0 and up to 1"):
        nested_subset(_records(3), fraction)

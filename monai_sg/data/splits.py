"""Training, validation and test records that never share a patient."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

from ..utils.errors import UserError
from ..utils.seeds import seed_for

logger = logging.getLogger(__name__)

FRACTIONS = (0.7, 0.15, 0.15)
MIN_PATIENTS_FOR_TEST = 5


def split_by_patient(
    records: Sequence[dict[str, Any]], fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> dict[str, list[dict[str, Any]]]:
    """Split records into training, validation and test so that all images of a patient stay together.

    Patients are ordered by a hash of the seed and their name, hence the split depends on neither the order of the
    records nor the machine, and a patient added later moves few others. Fractions count patients, not images. Two or
    more patients give at least one validation patient, five or more at least one test patient.

    Args:
        records: dictionaries with the key ``patient``.
        fractions: shares of training, validation and test; they sum to 1.
        seed: another seed gives another split.

    Returns:
        ``{"training": [...], "validation": [...], "test": [...]}``, each in the order of ``records``.

    Raises:
        UserError: if ``fractions`` are not three non-negative numbers that sum to 1, or there are no records.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UserError(
            f"fractions is {tuple(fractions)}; give the shares of training, validation and test, which sum to 1."
        )
    if not records:
        raise UserError("There are no records to split; the list of images is empty.")
    patients = sorted({record["patient"] for record in records}, key=lambda name: (seed_for(seed, "split", name), name))
    num_validation, num_test = _counts(len(patients), fractions)
    held_out = dict.fromkeys(patients[:num_validation], "validation")
    held_out |= dict.fromkeys(patients[num_validation : num_validation + num_test], "test")
    splits: dict[str, list[dict[str, Any]]] = {"training": [], "validation": [], "test": []}
    for record in records:
        splits[held_out.get(record["patient"], "training")].append(record)
    return splits


def nested_subset(records: Sequence[dict[str, Any]], fraction: float, seed: int = 0) -> list[dict[str, Any]]:
    """Keep the records of a share of the patients, such that a smaller share is part of every larger one.

    Args:
        records: dictionaries with the key ``patient``.
        fraction: share of patients in (0, 1], rounded up to whole patients.
        seed: another seed keeps other patients.

    Returns:
        the records of the kept patients, in the order of ``records``.

    Raises:
        UserError: if ``fraction`` is outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise UserError(f"fraction is {fraction}; give a share of the patients above 0 and up to 1.")
    patients = sorted(
        {record["patient"] for record in records}, key=lambda name: (seed_for(seed, "fraction", name), name)
    )
    number = math.ceil(round(fraction * len(patients), 6))  # 0.07 * 100 is a little above 7
    kept = set(patients[:number])
    return [record for record in records if record["patient"] in kept]


def _counts(num_patients: int, fractions: Sequence[float]) -> tuple[int, int]:
    """Return the numbers of validation and test patients; at least one patient is left for training."""
    if num_patients == 1:
        logger.warning("There is one patient, so all images are training images and nothing is left for validation.")
        return 0, 0
    num_validation = max(1, round(num_patients * fractions[1])) if fractions[1] else 0
    num_test = 0
    if fractions[2] and num_patients >= MIN_PATIENTS_FOR_TEST:
        num_test = max(1, round(num_patients * fractions[2]))
    elif fractions[2]:
        logger.warning(
            f"There are {num_patients} patients: {num_validation} for validation, the rest for training and none for "
            f"the test split, which needs at least {MIN_PATIENTS_FOR_TEST}."
        )
    excess = num_validation + num_test - (num_patients - 1)
    if excess > 0:
        num_test, num_validation = max(0, num_test - excess), num_validation - max(0, excess - num_test)
    return num_validation, num_test

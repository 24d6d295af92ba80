from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_sg.metrics.overlap import MEASURES
from monai_sg.studies.arms import SCRATCH
from monai_sg.studies.comparison import Comparison
from monai_sg.studies.paired_statistics import compare_paired, holm
from monai_sg.utils.files import write_csv

DICE = {  # arm -> seeds x cases
    "other": [[0.80, 0.70, 0.75], [0.85, 0.74, 0.75]],
    "ours": [[0.60, 0.70, 0.80], [0.64, 0.72, 0.84]],
    SCRATCH: [[0.50, 0.61, 0.70], [0.55, 0.60, 0.73]],
}


def table(path: Path, values: list[float], pooled: float) -> Path:
    rows: list[dict[str, Any]] = []
    for metric in MEASURES:
        rows += [{"metric": metric, "unit": "case", "case": f"c{n}", "value": v} for n, v in enumerate(values)]
        rows.append({"metric": metric, "unit": "pooled", "case": "", "value": pooled})
    return write_csv(path, [{"task": "t", **row} for row in rows])


@pytest.fixture
def measured(tmp_path: Path) -> Comparison:
    result = Comparison()
    for arm, seeds in DICE.items():
        for seed, values in enumerate(seeds):
            key = {"arm": arm, "seed": seed, "epochs": 5}
            weights = "" if arm == SCRATCH else f"{arm}.pt"
            result.add(key, table(tmp_path / "t.csv", values, 0.5), {"weights": weights, "epochs_run": 5.0})
    result.add({"arm": "position", "seed": 0, "epochs": 0}, table(tmp_path / "t.csv", [0.1] * 3, 0.2), {"weights": ""})
    return result


def test_rows_hold_means_and_pooled_values(measured: Comparison) -> None:
    assert measured.values("dice@0.5_mean", "ours", 5) == pytest.approx([0.70, 2.2 / 3])
    assert measured.values("dice@0.5_pooled", "position", 0) == [0.2]
    assert len(measured.cases) == (6 + 1) * 3 * len(MEASURES)


def test_every_two_arms_are_compared_and_adjusted_together(measured: Comparison) -> None:
    rows = measured.differences("dice@0.5")
    assert [(row["arm"], row["against"]) for row in rows] == [("ours", "other"), (SCRATCH, "other"), (SCRATCH, "ours")]
    last = compare_paired(np.array(DICE[SCRATCH]), np.array(DICE["ours"]), ["same file"] * 2)
    assert rows[2]["mean"] == pytest.approx(last.mean)
    assert (rows[2]["low"], rows[2]["high"]) == (last.low, last.high)
    assert [row["welch_holm"] for row in rows] == holm([row["welch"] for row in rows])
    assert [row["wilcoxon_holm"] for row in rows] == holm([row["wilcoxon"] for row in rows])
    assert measured.differences("dice@0.5") == rows, "the bootstrap has a seed of its own"


def test_cases_that_one_arm_lacks_do_not_take_part(measured: Comparison) -> None:
    measured.cases = [row for row in measured.cases if (row["arm"], row["seed"], row["case"]) != ("ours", 1, "c0")]
    assert [row["cases"] for row in measured.differences("dice@0.5")] == [2, 3, 2]


def test_a_measure_that_is_never_defined_is_not_compared(measured: Comparison) -> None:
    for row in measured.cases:
        row["value"] = float("nan")
    assert measured.differences("dice@0.5") == []


def test_text_says_what_was_not_detectable(measured: Comparison) -> None:
    lines = measured.lines()
    ours = next(line for line in lines if line.startswith("ours, 5 epochs"))
    assert ours.count("0.717 ± 0.024") == len(MEASURES)
    assert any(line.startswith("from scratch - ours, 5 epochs") for line in lines)
    unclear = sum(row["low"] <= 0 <= row["high"] for row in measured.differences("dice@0.5"))
    assert unclear
    assert lines[-1] == f"No difference was detectable in {unclear} of 3: their intervals hold 0."
    assert max(map(len, lines)) <= 120


def test_each_structure_has_its_place(measured: Comparison, tmp_path: Path) -> None:
    measured.cases += [
        {**row, "metric": "dice@0.5_tail", "value": row["value"] / 2}
        for row in measured.cases
        if row["metric"] == "dice@0.5"
    ]
    for row in measured.rows:
        row["dice@0.5_tail_mean"] = row["dice@0.5_mean"] / 2
    lines = measured.lines()
    of_tail = lines[next(n for n, line in enumerate(lines) if line.strip() == "dice@0.5_tail") :]
    assert next(line for line in of_tail if line.startswith("ours, 5 epochs")).split()[-3] == "0.358"
    halves, wholes = measured.differences("dice@0.5_tail"), measured.differences("dice@0.5")
    assert [row["mean"] for row in halves] == pytest.approx([row["mean"] / 2 for row in wholes])
    measured.write(tmp_path)
    with open(tmp_path / "differences.csv", newline="") as file:
        assert {row["metric"] for row in csv.DictReader(file)} == {*MEASURES, "dice@0.5_tail"}


def test_tables_are_written(measured: Comparison, tmp_path: Path) -> None:
    measured.write(tmp_path)
    with open(tmp_path / "differences.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["metric"] for row in rows} == set(MEASURES)
    assert len(rows) == 3 * len(MEASURES)
    with open(tmp_path / "comparison.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 7

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine

from monai_sg.handlers.class_table import ClassTable

CASES = {
    "b": ([0.9, 0.5], [1, 0], "p1"),
    "a": ([0.25, 0.5], [0, 0], "p1"),
    "c": ([0.5, 0.125], [1, 0], "p2"),
    "d": ([0.75, 0.125], [0, 0], "p3"),
}


def _run(folder: Path, labelled: bool = True) -> None:
    def step(engine: Engine, names: list[str]) -> list[dict[str, Any]]:
        cases: list[dict[str, Any]] = [{"pred": torch.tensor(CASES[name][0])} for name in names]
        engine.state.batch = [{"id": name} for name in names]  # as MONAI's evaluators part them
        if labelled:
            for record, case, name in zip(engine.state.batch, cases, names, strict=True):
                case["label"], record["patient"] = torch.tensor(CASES[name][1]), CASES[name][2]
        return cases

    engine = Engine(step)
    ClassTable(folder, "films", ["mass", "hernia"]).attach(engine)
    for _ in range(2):
        engine.run([["b", "a"], ["c", "d"]])


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_of_probabilities_per_image(tmp_path: Path) -> None:
    _run(tmp_path / "new", labelled=False)
    assert (tmp_path / "new/probabilities.csv").read_text() == (
        "id,mass,hernia\na,0.250000,0.500000\nb,0.900000,0.500000\nc,0.500000,0.125000\nd,0.750000,0.125000\n"
    )
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["probabilities.csv"]


def test_measures_and_intervals_where_labels_are_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    _run(tmp_path)
    assert [tuple(row.values()) for row in _rows(tmp_path / "metrics.csv")] == [
        ("films", "auc", "pooled", "", "0.750000"),
        ("films", "auc_mass", "pooled", "", "0.750000"),
        ("films", "auc_hernia", "pooled", "", ""),
    ]
    mass, hernia, mean = _rows(tmp_path / "intervals.csv")
    assert {name: mass[name] for name in ("class", "with", "without", "auc")} == {
        "class": "mass",
        "with": "2",
        "without": "2",
        "auc": "0.750000",
    }
    assert 0 <= float(mass["low"]) < 0.75 < float(mass["high"]) <= 1
    assert hernia == {"class": "hernia", "with": "0", "without": "4", "auc": "", "low": "", "high": ""}
    assert mean == {**mass, "class": "mean", "with": "", "without": ""}
    assert "mean of 1 classes over 4 images: 0.750" in caplog.text

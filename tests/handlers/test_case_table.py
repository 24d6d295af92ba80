from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine

from monai_sg.handlers.case_table import CaseTable, read_cases
from monai_sg.metrics.overlap import MeasureOverlapd


def evaluator(cases: dict[str, tuple[list[Any], list[Any]]]) -> Engine:
    def step(engine: Engine, batch: str) -> list[dict[str, Any]]:
        probability, label = (torch.atleast_2d(torch.tensor(values)) for values in cases[batch])
        return [MeasureOverlapd()({"pred": probability, "label": label, "id": batch})]

    return Engine(step)


def test_table_has_a_row_per_case_then_mean_deviation_and_pooled(tmp_path: Path) -> None:
    cases = {"b": ([0.9, 0.9], [1, 0]), "a": ([0.9, 0.1], [1, 0]), "empty": ([0.1], [0])}
    engine = evaluator(cases)
    CaseTable(tmp_path / "new", "LCS", ["liver"]).attach(engine)
    for _ in range(2):
        engine.run(list(cases))
    lines = (tmp_path / "new" / "cases.csv").read_text().splitlines()
    assert lines[0] == "case,iou_fg@0.5,dice@0.5,mean_iou_bg_multithr"
    rows = {line.split(",")[0]: line.split(",")[1:] for line in lines[1:]}
    assert list(rows) == ["a", "b", "empty", "mean", "sd", "pooled"]
    assert rows["empty"] == ["", "", ""]
    dice = {name: float(values[1]) for name, values in rows.items() if name != "empty"}
    deviation = ((1 / 6) ** 2 * 2) ** 0.5
    expected = {"a": 1.0, "b": 2 / 3, "mean": 5 / 6, "sd": deviation, "pooled": 4 / 5}
    assert dice == pytest.approx(expected, abs=1e-7)
    header, *lines = (tmp_path / "new" / "metrics.csv").read_text().splitlines()
    assert header == "task,metric,unit,case,value"
    assert len(lines) == 4 * 3
    assert "LCS,dice@0.5,case,a,1.00000000" in lines
    assert "LCS,dice@0.5,case,empty," in lines
    assert "LCS,dice@0.5,pooled,,0.80000000" in lines


def test_several_structures_have_columns_of_their_own(tmp_path: Path) -> None:
    engine = evaluator({"a": ([[0.9, 0.1], [0.9, 0.9]], [[1, 0], [1, 0]])})
    CaseTable(tmp_path, "hippocampus", ["head", "tail"]).attach(engine)
    engine.run(["a"])
    row = read_cases(tmp_path / "cases.csv")["a"]
    dice = {name: value for name, value in row.items() if name.startswith("dice")}
    assert dice == pytest.approx({"dice@0.5": 5 / 6, "dice@0.5_head": 1, "dice@0.5_tail": 2 / 3})
    assert "hippocampus,dice@0.5_tail,case,a,0.66666667" in (tmp_path / "metrics.csv").read_text()


@pytest.mark.parametrize("case", [([0.9, 0.1], [1, 0]), ([0.1], [0])])
def test_a_single_case_has_no_deviation(tmp_path: Path, case: tuple[list[float], list[int]]) -> None:
    engine = evaluator({"a": case})
    CaseTable(tmp_path, "LCS", ["liver"]).attach(engine)
    engine.run(["a"])
    assert "\nsd,,,\n" in (tmp_path / "cases.csv").read_text()

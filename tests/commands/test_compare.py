from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from monai_sg.commands.compare import compare
from monai_sg.commands.words import CommandLine
from monai_sg.handlers.history import read_history
from monai_sg.studies.arms import SCRATCH
from monai_sg.utils.errors import UserError
from tests.bundles.families.segmentation import SMALL, write_cubes


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_arms_are_compared_and_what_has_finished_is_not_repeated(finished_run: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {name: value for name, value in SMALL.items() if name != "epochs"}
    weights, out = finished_run / "models" / "model.pt", tmp_path / "out"
    arguments: dict[str, Any] = {
        "arm": [f"encoder={weights}:encoder"],
        "data": str(write_cubes(tmp_path / "data")),
        "output": str(out),
        "epochs": [1],
    }
    compare(seeds=1, **arguments, **settings)
    files = {path: path.stat().st_mtime_ns for path in out.rglob("model.pt")}
    text = compare(seeds=2, **arguments, **settings)
    assert {path: path.stat().st_mtime_ns for path in files} == files, "what has finished is not repeated"
    rows = read(out / "comparison.csv")
    assert len(rows) == len({(row["arm"], row["seed"], row["epochs"]) for row in rows}) == 2 * (2 + 3)
    assert {row["epochs_run"] for row in rows if row["epochs"] == "1"} == {"1.0"}
    pairs = [(row["arm"], row["against"], row["seeds"]) for row in read(out / "differences.csv")]
    assert set(pairs) == {(SCRATCH, "encoder", "2")}
    for name in ("overlays.png", "curves.png"):
        assert (out / "figures" / name).read_bytes().startswith(b"\x89PNG")
        assert name in text
    losses = [
        read_history(out / f"{arm}_seed_0_epochs_1" / "train" / "metrics.csv") for arm in ("encoder", "from_scratch")
    ]
    assert losses[0][0]["loss"] != losses[1][0]["loss"]
    measured = read(out / "cases.csv")
    cases = {arm: {row["case"] for row in measured if row["arm"] == arm} for arm in {row["arm"] for row in measured}}
    assert len(cases) == 2 + 3
    assert all(own == cases[SCRATCH] for own in cases.values())


def test_arms_are_given_one_after_the_other_and_lengths_as_a_list() -> None:
    line = CommandLine("compare", compare)
    words = ["--arm", "a=1.pt", "--arm", "b=2.pt:encoder", "--data", "D", "--output", "O", "--epochs"]
    found = line.read([*words, "[5, 50]"])
    assert (found["arm"], found["epochs"]) == (["a=1.pt", "b=2.pt:encoder"], [5, 50])
    assert line.read([*words, "7"])["epochs"] == [7]
    with pytest.raises(UserError, match=r"'\[5, x\]' is neither a whole number nor a list"):
        line.read([*words, "[5, x]"])

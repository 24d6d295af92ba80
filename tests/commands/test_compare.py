from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from monai_sg.commands.compare import compare
from monai_sg.commands.words import CommandLine
from monai_sg.handlers.history import read_history
from monai_sg.studies.arms import SCRATCH
from tests.bundles.families.segmentation import SMALL, write_cubes


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_arms_are_compared_and_what_has_finished_is_not_repeated(finished_run: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {name: value for name, value in SMALL.items() if name != "epochs"}
    weights, out = finished_run / "models" / "model.pt", tmp_path / "out"
    arguments: dict[str, Any] = {
        "arm": [f"pre-trained={weights}", f"encoder={weights}:encoder"],
        "data": str(write_cubes(tmp_path / "data")),
        "output": str(out),
        "epochs": 2,
        "early": 1,
    }
    compare(seeds=1, **arguments, **settings)
    files = {path: path.stat().st_mtime_ns for path in out.rglob("model.pt")}
    text = compare(seeds=2, **arguments, **settings)
    assert {path: path.stat().st_mtime_ns for path in files} == files, "what has finished is not repeated"
    rows = read(out / "comparison.csv")
    assert len(rows) == len({(row["arm"], row["seed"], row["epochs"]) for row in rows}) == 2 * (3 * 2 + 3)
    assert {row["epochs_run"] for row in rows if row["epochs"] == "2"} == {"2.0"}
    pairs = [row for row in read(out / "differences.csv") if (row["metric"], row["epochs"]) == ("dice@0.5", "2")]
    assert [(row["arm"], row["against"]) for row in pairs] == [
        ("encoder", "pre-trained"),
        (SCRATCH, "pre-trained"),
        (SCRATCH, "encoder"),
    ]
    for name in ("overlays.png", "curves.png"):
        assert (out / "figures" / name).read_bytes().startswith(b"\x89PNG")
        assert name in text
    histories = {
        arm: read_history(out / f"{arm}_seed_0_epochs_2" / "train" / "metrics.csv")
        for arm in ("from_scratch", "pre-trained", "encoder")
    }
    assert len({history[0]["loss"] for history in histories.values()}) == 3
    early = read_history(out / "from_scratch_seed_0_epochs_1" / "train" / "metrics.csv")
    first = histories["from_scratch"][0]
    assert early[0]["loss"] == first["loss"], "the first epoch starts from the same weights and patches"
    assert early[0]["learning_rate"] < first["learning_rate"], "each falls along a schedule of its own"
    measured = read(out / "cases.csv")
    cases = {arm: {row["case"] for row in measured if row["arm"] == arm} for arm in {row["arm"] for row in measured}}
    assert len(cases) == 3 + 3
    assert all(own == cases[SCRATCH] for own in cases.values())


def test_arms_are_given_one_after_the_other_on_the_command_line() -> None:
    line = CommandLine("compare", compare)
    words = ["--arm", "a=1.pt", "--arm", "b=2.pt:encoder", "--data", "D", "--output", "O"]
    assert line.read(words)["arm"] == ["a=1.pt", "b=2.pt:encoder"]

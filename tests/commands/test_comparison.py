from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from monai_sg.commands.comparison import COLUMNS, PRETRAINED, SCRATCH, Comparison, compare
from monai_sg.commands.demo import _check_liver
from monai_sg.engines.history import read_history
from tests.bundles.small_liver import SMALL, write_cubes


def row(arm: str, seed: int, epochs: int, value: float) -> dict[str, Any]:
    return {"arm": arm, "seed": seed, "epochs": epochs, **dict.fromkeys(COLUMNS, value)}


def test_table_shows_mean_and_deviation_over_seeds() -> None:
    rows = [row(SCRATCH, 0, 5, 0.25), row(SCRATCH, 1, 5, 0.75), row("best threshold", 0, 0, 0.1)]
    result = Comparison(rows, [])
    lines = result.lines()
    assert lines[-2].split() == ["best", "threshold", *["0.100"] * 6]
    assert lines[-1].startswith("from scratch, 5 epochs")
    assert lines[-1].count("0.500 ± 0.354") == 6
    assert result.values("dice@0.5_mean", SCRATCH, 5) == [0.25, 0.75]


def test_a_network_no_better_than_a_threshold_fails_the_demo() -> None:
    def comparison(dice: float) -> Comparison:
        return Comparison([row(PRETRAINED, 0, 10, dice), row("best threshold", 0, 0, 0.3)], [])

    _check_liver(comparison(0.31), 10)
    with pytest.raises(ValueError, match=r"Dice of 0\.200, the best single intensity threshold 0\.300"):
        _check_liver(comparison(0.2), 10)


def test_both_arms_are_compared_and_what_has_finished_is_not_repeated(finished_run: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {name: value for name, value in SMALL.items() if name != "epochs"}
    data = str(write_cubes(tmp_path / "data"))
    arguments: dict[str, Any] = {"data": data, "output": str(tmp_path / "out"), "seeds": 1, "epochs": 2, "early": 1}
    weights = str(finished_run / "models" / "model.pt")
    text = compare(weights=weights, **arguments, **settings)
    with open(tmp_path / "out" / "comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    groups = {(found["arm"], found["seed"], found["epochs"]) for found in rows}
    assert len(rows) == len(groups) == 2 * 2 + 3
    assert all(0 <= float(found["dice@0.5_pooled"]) <= 1 for found in rows)
    threshold = [float(found["dice@0.5_mean"]) for found in rows if found["arm"] == "best threshold"]
    assert min(threshold) > 0.99, "cubes are the only bright thing"
    for name in ("overlays.png", "curves.png"):
        assert (tmp_path / "out" / "figures" / name).read_bytes().startswith(b"\x89PNG")
        assert name in text
    histories = {
        arm: read_history(tmp_path / "out" / f"{arm}_seed_0_epochs_2" / "train" / "history.csv")
        for arm in ("from_scratch", "pre-trained")
    }
    assert histories["from_scratch"] != histories["pre-trained"]
    early = read_history(tmp_path / "out" / "from_scratch_seed_0_epochs_1" / "train" / "history.csv")
    assert early == histories["from_scratch"][:1], "the early run is the beginning of the whole one"
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("model.pt")}
    assert compare(weights=weights, **arguments, **settings) == text
    assert {path: path.stat().st_mtime_ns for path in files} == files

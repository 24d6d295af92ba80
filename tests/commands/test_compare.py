from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from monai_sg.commands.compare import compare
from monai_sg.handlers.history import read_history
from tests.bundles.families.segmentation import SMALL, write_cubes


def test_both_arms_are_compared_and_what_has_finished_is_not_repeated(finished_run: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {name: value for name, value in SMALL.items() if name not in ("epochs", "width")}
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
        arm: read_history(tmp_path / "out" / f"{arm}_seed_0_epochs_2" / "train" / "metrics.csv")
        for arm in ("from_scratch", "pre-trained")
    }
    assert histories["from_scratch"] != histories["pre-trained"]
    early = read_history(tmp_path / "out" / "from_scratch_seed_0_epochs_1" / "train" / "metrics.csv")
    first = histories["from_scratch"][0]
    assert early[0]["loss"] == first["loss"], "the first epoch starts from the same weights and patches"
    assert early[0]["learning_rate"] < first["learning_rate"], "each falls along a cosine of its own"
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("model.pt")}
    assert compare(weights=weights, **arguments, **settings) == text
    assert {path: path.stat().st_mtime_ns for path in files} == files

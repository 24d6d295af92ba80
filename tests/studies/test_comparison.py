from __future__ import annotations

from typing import Any

from monai_sg.studies.comparison import COLUMNS, SCRATCH, Comparison


def row(arm: str, seed: int, epochs: int, value: float) -> dict[str, Any]:
    return {"arm": arm, "seed": seed, "epochs": epochs, **dict.fromkeys(COLUMNS, value)}


def test_table_shows_mean_and_deviation_over_seeds() -> None:
    rows = [row(SCRATCH, 0, 5, 0.25), row(SCRATCH, 1, 5, 0.75), row("best threshold", 0, 0, 0.1)]
    result = Comparison(rows, {})
    lines = result.lines()
    assert lines[-2].split() == ["best", "threshold", *["0.100"] * 6]
    assert lines[-1].startswith("from scratch, 5 epochs")
    assert lines[-1].count("0.500 ± 0.354") == 6
    assert result.values("dice@0.5_mean", SCRATCH, 5) == [0.25, 0.75]

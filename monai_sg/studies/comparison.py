"""Fine-tuning from several weights beside fine-tuning from scratch and answers that need no network."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from ..handlers.case_table import METRICS
from ..handlers.history import read_history
from ..metrics.overlap import MEASURES, POOLED, known_mean
from ..runs.fine_tuning import FineTuning
from ..utils.files import write_csv
from .arms import SCRATCH, Arm
from .original_grid import score_baselines
from .paired_statistics import compare_paired, holm
from .spread import spread_text

TABLE, CASES, DIFFERENCES = "comparison.csv", "cases.csv", "differences.csv"
CASE, DICE = "case", "dice@0.5"
SELECTED_BY = f"validation_{DICE}"
COURSE = ("epochs_run", "epoch_selected", "last_learning_rate")

Row = dict[str, Any]


@dataclass
class Comparison:
    """What was measured.

    Attributes:
        rows: one per arm, seed and length of a run: how the training went, and each measure as mean of the cases and
            pooled over their voxels. Answers without a network have length 0.
        cases: one per arm, seed, length, measure and test case.
        runs: per arm the longest runs, one per seed.
    """

    rows: list[Row] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)
    runs: dict[str, list[FineTuning]] = field(default_factory=dict)

    def values(self, column: str, arm: str, epochs: int) -> list[float]:
        """Return one column of an arm's rows of a length, a value per seed."""
        return [row[column] for row in self.rows if (row["arm"], row["epochs"]) == (arm, epochs)]

    @property
    def measures(self) -> list[str]:
        """The measures of the cases; of several structures there are means and each one's, ``dice@0.5_<structure>``."""
        return list(dict.fromkeys(row["metric"] for row in self.cases))

    def add(self, key: Row, table: Path, facts: Row) -> None:
        """Add the run ``key`` (arm, seed, epochs), whose measures stand in a table in long form."""
        with open(table, newline="", encoding="utf-8") as file:
            found: list[Row] = [{**row, "value": float(row["value"] or nan)} for row in csv.DictReader(file)]
        own = [row for row in found if row["unit"] == CASE]
        pooled = {f"{row['metric']}_{POOLED}": row["value"] for row in found if row["unit"] == POOLED}
        names = dict.fromkeys(row["metric"] for row in own)
        means = {f"{name}_mean": known_mean(row["value"] for row in own if row["metric"] == name) for name in names}
        self.rows.append({**key, **facts, **means, **pooled})
        self.cases += [{**key, "metric": row["metric"], "case": row["case"], "value": row["value"]} for row in own]

    def differences(self, metric: str) -> list[Row]:
        """Compare every two arms that were trained equally long; p values also by Holm over these pairs."""
        lengths = sorted({row["epochs"] for row in self.cases} - {0})
        return [row for epochs in lengths for row in self._differences(metric, epochs)]

    def _differences(self, metric: str, epochs: int) -> list[Row]:
        values: dict[str, dict[int, dict[str, float]]] = {}
        for row in self.cases:
            if (row["metric"], row["epochs"]) == (metric, epochs):
                values.setdefault(row["arm"], {}).setdefault(row["seed"], {})[row["case"]] = row["value"]
        weights = {(row["arm"], row["seed"]): row["weights"] for row in self.rows if row["epochs"] == epochs}
        rows: list[Row] = []
        for theirs, ours in combinations(values, 2):
            seeds = [seed for seed in values[ours] if seed in values[theirs]]
            if not seeds:
                continue
            names = sorted(set.intersection(*(set(values[arm][seed]) for arm in (ours, theirs) for seed in seeds)))
            one, other = (
                np.array([[values[arm][seed][name] for name in names] for seed in seeds]) for arm in (ours, theirs)
            )
            if np.isnan(one + other).any(0).all():
                continue  # not defined for any case
            groups = [f"{weights[ours, seed]} {weights[theirs, seed]}" for seed in seeds]
            found = compare_paired(one, other, groups)
            rows.append({"metric": metric, "epochs": epochs, "arm": ours, "against": theirs, **vars(found)})
        for name in ("welch", "wilcoxon"):
            for row, value in zip(rows, holm([row[name] for row in rows]), strict=True):
                row[f"{name}_holm"] = value
        return rows

    def write(self, folder: Path) -> None:
        """Write all tables."""
        write_csv(folder / TABLE, self.rows)
        write_csv(folder / CASES, self.cases)
        write_csv(folder / DIFFERENCES, [row for metric in self.measures for row in self.differences(metric)])

    def lines(self) -> list[str]:
        """Return the means over seeds, and the differences of Dice with what they can show, for reading."""
        lines = ["mean of the test cases, ± standard deviation over the seeds", "", *self._table(MEASURES)]
        if of_structures := [name for name in self.measures if name.startswith(f"{DICE}_")]:
            lines += ["", *self._table(of_structures)]
        return [*lines, "", *_difference_lines(self.differences(DICE))]

    def _table(self, measures: Sequence[str]) -> list[str]:
        """Return a line per arm and length with means and spreads of some measures."""
        lines = [f"{'':<36}" + "".join(f"{name:>24}" for name in measures)]
        for arm, epochs in sorted({(row["arm"], row["epochs"]) for row in self.rows}, key=lambda key: (key[1], key[0])):
            title = f"{arm}, {epochs} epoch{'s' * (epochs > 1)}" if epochs else arm
            cells = (f"{spread_text(self.values(f'{name}_mean', arm, epochs), 3):>24}" for name in measures)
            lines.append(f"{title:<36}" + "".join(cells))
        return lines


def _difference_lines(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    lines = [
        f"differences of {DICE} over {rows[0]['seeds']} seeds and {rows[0]['cases']} cases, p by Holm",
        "",
        f"{'':<52}{'mean [95 % interval]':>26}{'Welch':>8}{'Wilcoxon':>10}{'detectable':>12}",
    ]
    for row in rows:
        title = f"{row['arm']} - {row['against']}, {row['epochs']} epochs"
        span = f"{row['mean']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        lines.append(
            f"{title:<52}{span:>26}{row['welch_holm']:>8.3f}{row['wilcoxon_holm']:>10.3f}{row['detectable']:>12.3f}"
        )
    unclear = [row for row in rows if row["low"] <= 0 <= row["high"]]
    if unclear:
        lines += ["", f"No difference was detectable in {len(unclear)} of {len(rows)}: their intervals hold 0."]
    return lines


def run_comparison(
    bundle: str,
    arms: Sequence[Arm],
    folder: Path,
    seeds: Sequence[int],
    lengths: Sequence[int],
    overrides: Mapping[str, Any],
) -> Comparison:
    """Run all arms and training from scratch, all seeds and lengths, and write the tables as results come.

    What has finished is not run again, so a comparison that was cut off goes on, and one with more seeds, arms or
    lengths makes what is missing.

    Args:
        bundle: name of a fine-tuning bundle for segmentation.
        arms: what to start from.
        folder: for everything that is written.
        seeds: each draws labels, patches and initial weights, the same labels for all arms.
        lengths: epochs of the runs.
        overrides: of all runs.
    """
    shared = {"datalist": str(folder / "datalist.json"), "cache_dir": str(folder / "cache"), **overrides}
    result = Comparison()
    FineTuning(bundle, folder, {**shared, "seed": seeds[0]}).test_images()  # a folder without them stops here
    for number, seed in enumerate(seeds):
        # The weights come first, so that a file that does not fit stops before anything is trained.
        for arm in (*arms, Arm(SCRATCH)):
            for epochs in sorted(set(lengths)):
                own = {"seed": seed, "label_seed": seed, "epochs": epochs, **arm.overrides(number)}
                run = FineTuning(bundle, folder / arm.place(seed, number, epochs), {**shared, **own})
                run.run()
                key = {"arm": arm.name, "seed": seed, "epochs": epochs}
                result.add(key, run.cases.with_name(METRICS), {"weights": _name(arm, number), **_course(run)})
                result.write(folder)
            result.runs.setdefault(arm.name, []).append(run)
        for name, table in score_baselines(run, folder / "baselines", seed).items():
            result.add({"arm": name, "seed": seed, "epochs": 0}, table, {"weights": "", **dict.fromkeys(COURSE, "")})
        result.write(folder)
    return result


def _name(arm: Arm, number: int) -> str:
    return str(arm.weights_of(number) or "")


def _course(run: FineTuning) -> Row:
    """Return how many epochs a run trained, which one was selected, and the learning rate of the last."""
    history = read_history(run.folder / "train" / METRICS)
    measured = [row for row in history if not isnan(row.get(SELECTED_BY, nan))]
    best = max(measured, key=lambda row: row[SELECTED_BY]) if measured else {}
    last = history[-1] if history else {}
    return dict(zip(COURSE, (last.get("epoch"), best.get("epoch"), last.get("learning_rate")), strict=True))

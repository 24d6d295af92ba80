"""Fine-tuning from weights beside fine-tuning from scratch and answers that need no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from ..metrics.overlap import MEASURES, overlap_counts, overlap_measures
from ..runs.fine_tuning import FineTuning
from ..utils.files import write_csv
from .spread import spread_text
from .voxel_baselines import fit_baselines

SCRATCH, PRETRAINED = "from scratch", "pre-trained"
REDUCTIONS = ("mean", "pooled")
COLUMNS = [f"{measure}_{kind}" for measure in MEASURES for kind in REDUCTIONS]
TABLE = "comparison.csv"

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """One row per arm, seed and length of a run, and per arm the longest runs, one per seed."""

    rows: list[Row]
    runs: dict[str, list[FineTuning]]

    def lines(self) -> list[str]:
        """Return a table of mean and standard deviation over the seeds, a line per arm and length."""
        lines = ["measures of the test images: mean of cases, and pooled over all their voxels", ""]
        lines.append(f"{'':<28}" + "".join(f"{name:^34}" for name in MEASURES))
        lines.append(f"{'':<28}" + f"{'cases':>17}{'pooled':>17}" * len(MEASURES))
        groups = dict.fromkeys((row["arm"], row["epochs"]) for row in self.rows)
        for arm, epochs in sorted(groups, key=lambda group: (group[1], group[0])):
            title = f"{arm}, {epochs} epoch{'s' * (epochs > 1)}" if epochs else arm
            cells = (f"{spread_text(self.values(name, arm, epochs), 3):>17}" for name in COLUMNS)
            lines.append(f"{title:<28}" + "".join(cells))
        return lines

    def values(self, column: str, arm: str, epochs: int) -> list[float]:
        """Return one column of an arm's rows of a length, a value per seed."""
        return [row[column] for row in self.rows if (row["arm"], row["epochs"]) == (arm, epochs)]


def run_comparison(
    bundle: str, weights: Path, folder: Path, seeds: Sequence[int], lengths: Sequence[int], overrides: Mapping[str, Any]
) -> Comparison:
    """Run all arms, seeds and lengths, and write the table.

    Args:
        bundle: name of a fine-tuning bundle for segmentation.
        weights: file that the pre-trained arm starts from.
        folder: for everything that is written.
        seeds: each draws labels, patches and initial weights, the same labels for both arms.
        lengths: epochs of the runs.
        overrides: of all runs.
    """
    shared = {"datalist": str(folder / "datalist.json"), "cache_dir": str(folder / "cache"), **overrides}
    rows: list[Row] = []
    longest: dict[str, list[FineTuning]] = {SCRATCH: [], PRETRAINED: []}
    FineTuning(bundle, folder, {**shared, "seed": seeds[0]}).test_images()  # a folder without them stops here
    for seed in seeds:
        # The weights come first, so that a file that does not fit stops before anything is trained.
        for arm, path in ((PRETRAINED, str(weights)), (SCRATCH, None)):
            for epochs in sorted(set(lengths)):
                place = folder / f"{arm.replace(' ', '_')}_seed_{seed}_epochs_{epochs}"
                drawn = {"seed": seed, "label_seed": seed}
                run = FineTuning(bundle, place, {**shared, **drawn, "epochs": epochs, "pretrained_path": path})
                rows.append({"arm": arm, "seed": seed, "epochs": epochs, **_measures(run.run())})
            longest[arm].append(run)
        rows += _baselines(run, seed)
    write_csv(folder / TABLE, rows)
    return Comparison(rows, longest)


def _measures(cases: Mapping[str, Mapping[str, float]]) -> Row:
    """Return mean over cases and pooled value of each measure."""
    return {f"{measure}_{kind}": cases[kind][measure] for measure in MEASURES for kind in REDUCTIONS}


def _baselines(run: FineTuning, seed: int) -> list[Row]:
    """Return the measures of the answers without network, fitted to the training images of a run."""
    train, test = run.training_images(), run.test_images()
    predictors = fit_baselines([_case(train.prepared(index)) for index in range(len(train))], seed)
    rows = []
    for name, predict in predictors.items():
        counts = [
            overlap_counts(predict(image), label) for image, label in (_case(test[index]) for index in range(len(test)))
        ]
        cases = [overlap_measures(count) for count in counts]
        both = {"mean": _mean_of(cases), "pooled": overlap_measures(torch.stack(counts).sum(0))}
        rows.append({"arm": name, "seed": seed, "epochs": 0, **_measures(both)})
    return rows


def _case(item: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return item["image"].float(), item["label"]


def _mean_of(cases: Sequence[Mapping[str, float]]) -> dict[str, float]:
    known = {name: [case[name] for case in cases if case[name] == case[name]] for name in MEASURES}
    return {name: mean(values) if values else nan for name, values in known.items()}

"""Fine-tune from weights and from scratch, and measure both beside answers that need no network."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from ..engines.overlap import MEASURES, overlap_counts, overlap_measures
from ..studies.voxel_baselines import fit_baselines
from ..utils.files import write_atomic
from .finetuning import FineTuning
from .segmentation_pictures import draw_comparison

BUNDLE = "lcs_liver_ct_segmentation"
SCRATCH, PRETRAINED = "from scratch", "pre-trained"
REDUCTIONS = ("mean", "pooled")
COLUMNS = [f"{measure}_{kind}" for measure in MEASURES for kind in REDUCTIONS]
TABLE = "comparison.csv"

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """One row per arm, seed and length of a run, and the pictures drawn of them."""

    rows: list[Row]
    pictures: list[Path]

    def lines(self) -> list[str]:
        """Return a table of mean and standard deviation over the seeds, a line per arm and length."""
        lines = ["measures of the test images: mean of cases, and pooled over all their voxels", ""]
        lines.append(f"{'':<28}" + "".join(f"{name:^34}" for name in MEASURES))
        lines.append(f"{'':<28}" + f"{'cases':>17}{'pooled':>17}" * len(MEASURES))
        groups = dict.fromkeys((row["arm"], row["epochs"]) for row in self.rows)
        for arm, epochs in sorted(groups, key=lambda group: (group[1], group[0])):
            title = f"{arm}, {epochs} epochs" if epochs else arm
            cells = (f"{_spread(self.values(name, arm, epochs)):>17}" for name in COLUMNS)
            lines.append(f"{title:<28}" + "".join(cells))
        return lines

    def values(self, column: str, arm: str, epochs: int) -> list[float]:
        """Return one column of an arm's rows of a length, a value per seed."""
        return [row[column] for row in self.rows if (row["arm"], row["epochs"]) == (arm, epochs)]


def compare(
    *,
    weights: str,
    data: str,
    output: str,
    bundle: str = BUNDLE,
    seeds: int = 3,
    epochs: int = 50,
    early: int = 5,
    **overrides: Any,
) -> str:
    """Fine-tune from weights and from scratch over several seeds, with the same labels, and compare on the test images.

    Each run is measured after a few epochs and at its end. Beside them stand the best intensity threshold and trees
    that see a voxel's position, or position and intensity. Runs that have finished are not repeated.

    Args:
        weights: file to start from, such as models/model.pt of a pre-training run.
        data: folder with images and label maps.
        output: folder for everything that is written.
        bundle: name of a fine-tuning bundle for segmentation.
        seeds: number of seeds; each draws labels, patches and initial weights.
        epochs: of a whole run.
        early: epochs of the first look.
        overrides: ids of the bundle's config with their values, such as --width 8 --label_fraction 0.1.

    Returns:
        the table and what was written.
    """
    folder = Path(output).resolve()
    more = {"dataset_dir": str(Path(data).resolve()), **overrides}
    result = run_comparison(bundle, Path(weights).resolve(), folder, range(seeds), (early, epochs), more)
    pictures = (f"picture  {path}" for path in result.pictures)
    return "\n".join([*result.lines(), "", f"table    {folder / TABLE}", *pictures])


def run_comparison(
    bundle: str, weights: Path, folder: Path, seeds: Sequence[int], lengths: Sequence[int], overrides: Mapping[str, Any]
) -> Comparison:
    """Run all arms, seeds and lengths, and write the table and the pictures.

    Args:
        bundle: name of a fine-tuning bundle for segmentation.
        weights: file that the pre-trained arm starts from.
        folder: for everything that is written.
        seeds: each draws labels, patches and initial weights, the same labels for both arms.
        lengths: epochs of the runs, the longest of which is drawn.
        overrides: of all runs.
    """
    shared = {"datalist": str(folder / "datalist.json"), "cache_dir": str(folder / "cache"), **overrides}
    rows: list[Row] = []
    longest: dict[str, list[FineTuning]] = {SCRATCH: [], PRETRAINED: []}
    for seed in seeds:
        # The weights come first, so that a file that does not fit stops before anything is trained.
        for arm, path in ((PRETRAINED, str(weights)), (SCRATCH, None)):
            for epochs in sorted(set(lengths)):
                place = folder / f"{arm.replace(' ', '_')}_seed_{seed}_epochs_{epochs}"
                run = FineTuning(bundle, place, {**shared, "seed": seed, "epochs": epochs, "pretrained_path": path})
                rows.append({"arm": arm, "seed": seed, "epochs": epochs, **_measures(run.run())})
            longest[arm].append(run)
        rows += _baselines(run, seed)
    write_table(folder / TABLE, rows)
    return Comparison(rows, draw_comparison(longest, folder / "figures"))


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


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.3f} ± {stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.3f}"


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write rows with the same columns as CSV, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, lambda file: file.write(text.getvalue().encode()))

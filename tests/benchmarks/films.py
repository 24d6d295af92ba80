"""How far simple models tell findings in chest films apart, beside runs of the bundle that read the same films.

``python -m tests.benchmarks.films DIR --runs OUT ...`` prints a Markdown table: the mean AUC of the test films with its
95 % interval over patients. DIR is a folder as `ChestXray14` reads it, with age, sex and view in ``labels.csv`` or in
the table of the NIH.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from monai.transforms import Compose, EnsureChannelFirstd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from monai_sg.data.datasets.chest_xray14 import TABLE, ChestXray14
from monai_sg.data.images import LoadRecordd
from monai_sg.data.records import Datalist, Record
from monai_sg.data.window_intensity import WindowIntensityd
from monai_sg.metrics.auc_interval import Interval, auc_intervals
from monai_sg.transforms.resampled import Resampled

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
Features = NDArray[np.float64]


def pixels(folder: Path, records: Sequence[Record], size: int) -> Features:
    """Return films of ``size`` x ``size`` pixels, windowed as the bundle does."""
    read = Compose(
        [
            LoadRecordd("image"),
            EnsureChannelFirstd("image"),
            Resampled("image", spatial_size=(size, size)),
            WindowIntensityd("image", "percentile"),
        ]
    )
    films = [read({**record, "image": str(folder / record["image"])})["image"] for record in records]
    return np.stack([np.asarray(film, dtype=np.float64).ravel() for film in films])


def facts(folder: Path, records: Sequence[Record]) -> Features:
    """Return age, sex and view of films."""
    table = next(iter([*folder.glob(TABLE), folder / "labels.csv"]))
    with open(table, newline="", encoding="utf-8") as file:
        rows = {Path(row.get("image") or row["Image Index"]).stem: row for row in csv.DictReader(file)}
    found = [rows[record["id"]] for record in records]
    names = (("age", "Patient Age"), ("sex", "Patient Gender"), ("view", "View Position"))
    values = [[row.get(one) or row[other] for one, other in names] for row in found]
    return np.array([[float(age), sex == "M", view == "AP"] for age, sex, view in values], dtype=np.float64)


def logistic(features: dict[str, Features], labels: dict[str, NDArray[np.int64]], patients: Sequence[str]) -> Interval:
    """Return the mean AUC of the test films by a logistic regression per class, as strong as validation likes best."""
    scored = {strength: _probabilities(features, labels["training"], strength) for strength in STRENGTHS}
    best = max(STRENGTHS, key=lambda strength: _mean_auc(scored[strength]["validation"], labels["validation"]))
    return auc_intervals(scored[best]["test"], labels["test"], patients)[1]


def _mean_auc(probability: Features, label: NDArray[np.int64]) -> float:
    return auc_intervals(probability, label, [str(number) for number in range(len(label))], resamples=1)[1].auc


def _probabilities(features: dict[str, Features], label: NDArray[np.int64], strength: float) -> dict[str, Features]:
    """Return probabilities per split; of a class that no training film has they are 0."""
    found = {split: np.zeros((len(values), label.shape[1])) for split, values in features.items()}
    for column in range(label.shape[1]):
        if 0 < label[:, column].sum() < len(label):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
            model.fit(features["training"], label[:, column])
            for split, values in features.items():
                found[split][:, column] = model.predict_proba(values)[:, 1]
    return found


def baselines(folder: Path, datalist: Datalist, size: int) -> dict[str, Interval]:
    """Return the mean AUC of each simple model."""
    splits = {split: getattr(datalist, split) for split in ("training", "validation", "test")}
    labels = {split: np.array([record["label"] for record in records]) for split, records in splits.items()}
    patients = [record["patient"] for record in splits["test"]]
    seen = {
        f"logistic regression on {size} x {size} pixels": lambda records: pixels(folder, records, size),
        "logistic regression on age, sex and view": lambda records: facts(folder, records),
    }
    return {
        name: logistic({split: look(records) for split, records in splits.items()}, labels, patients)
        for name, look in seen.items()
    }


def of_runs(runs: Iterable[Path]) -> dict[str, Interval]:
    """Return the mean AUC that evaluations of the bundle have written."""
    found = {}
    for run in runs:
        with open(run / "evaluation" / "intervals.csv", newline="", encoding="utf-8") as file:
            mean = next(row for row in csv.DictReader(file) if row["class"] == "mean")
        found[f"from scratch, {run.name}"] = Interval(*(float(mean[name]) for name in Interval._fields))
    return found


def main(given: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="output folders of evaluated trainings")
    parser.add_argument("--size", type=int, default=16, help="pixels along both axes of the small films")
    args = parser.parse_args(given)
    rows = {**baselines(args.folder, ChestXray14().read(args.folder), args.size), **of_runs(args.runs)}
    print("| model | mean AUC | 95 % interval |\n|---|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value.auc:.3f} | {value.low:.3f} to {value.high:.3f} |")


if __name__ == "__main__":
    main()

"""How far simple models tell findings in chest films apart, beside runs of the bundle that read the same films.

``python -m tests.benchmarks.films DIR --runs OUT ...`` prints Markdown tables: the mean AUC of the test films, averaged
over the runs, with the 95 % interval over patients drawn with replacement and the one over patients and runs; and the
AUC of each class. DIR is a folder as `ChestXray14` reads it, with age, sex and view in ``labels.csv`` or in the table
of the NIH.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from monai.transforms import Compose, EnsureChannelFirstd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from monai_sg.data.datasets.chest_xray14 import FINDINGS, TABLE, ChestXray14
from monai_sg.data.images import LoadRecordd
from monai_sg.data.records import Record
from monai_sg.data.window_intensity import WindowIntensityd
from monai_sg.metrics.auc_interval import RESAMPLES, auc_intervals, weighted_auc
from monai_sg.transforms.resampled import Resampled

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
Features = NDArray[np.float64]
Labels = NDArray[np.int64]


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


def logistic(features: dict[str, Features], labels: dict[str, Labels]) -> Features:
    """Return probabilities of the test films by a logistic regression per class, as strong as validation likes best."""
    scored = {strength: _probabilities(features, labels["training"], strength) for strength in STRENGTHS}
    best = max(STRENGTHS, key=lambda strength: _mean_auc(scored[strength]["validation"], labels["validation"]))
    return scored[best]["test"]


def _mean_auc(probability: Features, label: Labels) -> float:
    return auc_intervals(probability, label, [str(number) for number in range(len(label))], resamples=1)[1].auc


def _probabilities(features: dict[str, Features], label: Labels, strength: float) -> dict[str, Features]:
    """Return probabilities per split; of a class that no training film has they are 0."""
    found = {split: np.zeros((len(values), label.shape[1])) for split, values in features.items()}
    for column in range(label.shape[1]):
        if 0 < label[:, column].sum() < len(label):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
            model.fit(features["training"], label[:, column])
            for split, values in features.items():
                found[split][:, column] = model.predict_proba(values)[:, 1]
    return found


def baselines(folder: Path, splits: dict[str, list[Record]], size: int) -> dict[str, list[Features]]:
    """Return probabilities of the test films by each simple model."""
    labels = {split: np.array([record["label"] for record in records]) for split, records in splits.items()}
    seen = {
        f"logistic regression on {size} x {size} pixels": lambda records: pixels(folder, records, size),
        "logistic regression on age, sex and view": lambda records: facts(folder, records),
    }
    return {
        name: [logistic({split: look(records) for split, records in splits.items()}, labels)]
        for name, look in seen.items()
    }


def of_run(run: Path, records: Sequence[Record]) -> Features:
    """Return the probabilities of films that an evaluation of the bundle has written."""
    with open(run / "evaluation" / "probabilities.csv", newline="", encoding="utf-8") as file:
        rows = {row.pop("id"): [float(value) for value in row.values()] for row in csv.DictReader(file)}
    return np.array([rows[record["id"]] for record in records])


class Drawn:
    """Means of the AUC of classes, of the films as they are and of those of patients drawn with replacement.

    Args:
        records: test films.
        fewest: classes that fewer films have are left out.
    """

    def __init__(self, records: Sequence[Record], fewest: int) -> None:
        self.label = np.array([record["label"] for record in records])
        names, index = np.unique([record["patient"] for record in records], return_inverse=True)
        self.draw = np.random.default_rng(0)
        counts = self.draw.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
        self.weights = np.vstack([np.ones(len(records)), counts[:, index]]).astype(np.float32)
        self.columns = [at for at, count in enumerate(self.label.sum(0)) if fewest <= count < len(records)]

    def means(self, runs: Sequence[Features]) -> Features:
        """Return (runs, 1 + resamples); the first are those of the films as they are."""
        each = [[weighted_auc(p[:, at], self.label[:, at], self.weights) for at in self.columns] for p in runs]
        return np.nanmean(each, axis=1)

    def row(self, runs: Sequence[Features]) -> list[str]:
        """Return the mean over runs, its interval over patients, the one over patients and runs, and each run's."""
        means = self.means(runs)
        chosen = self.draw.integers(len(runs), size=(RESAMPLES, len(runs)))
        both = np.take_along_axis(means[:, 1:].T, chosen, axis=1).mean(1)
        cells = [f"{means[:, 0].mean():.3f}", interval(means[:, 1:].mean(0))]
        return [*cells, interval(both), ", ".join(f"{value:.3f}" for value in means[:, 0])]


def interval(values: Features) -> str:
    """Return the range of the central 95 % of values."""
    low, high = np.percentile(values, (2.5, 97.5))
    return f"{low:.3f} to {high:.3f}"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |")


def main(given: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=Path, nargs="*", default=[], help="output folders of evaluated trainings")
    parser.add_argument("--size", type=int, default=16, help="pixels along both axes of the small films")
    parser.add_argument("--fewest", type=int, default=5, help="the second mean is over classes of as many test films")
    args = parser.parse_args(given)
    datalist = ChestXray14().read(args.folder)
    splits = {split: getattr(datalist, split) for split in ("training", "validation", "test")}
    models = baselines(args.folder, splits, args.size)
    if args.runs:
        models["the bundle, from scratch"] = [of_run(run, datalist.test) for run in args.runs]
    for fewest in (1, args.fewest):
        drawn = Drawn(datalist.test, fewest)
        print(f"\n{len(drawn.columns)} classes of at least {fewest} of {len(datalist.test)} test films\n")
        head = ["model", "mean AUC", "interval over patients", "over patients and runs", "runs"]
        print_table(head, [[name, *drawn.row(runs)] for name, runs in models.items()])
        means = {name: drawn.means(runs).mean(0) for name, runs in models.items()}
        *simple, last = means
        for name in simple if args.runs else []:
            gain = means[last] - means[name]
            print(f"\n{last}, minus {name}: {gain[0]:+.3f} ({interval(gain[1:])})")
    print()
    rows = []
    for at in drawn.columns:
        films = int(drawn.label[:, at].sum())
        drawn.columns = [at]
        rows.append([FINDINGS[at], str(films), *(drawn.row(runs)[0] for runs in models.values())])
    print_table(["class", "films", *models], rows)


if __name__ == "__main__":
    main()

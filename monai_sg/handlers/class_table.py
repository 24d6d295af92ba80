"""The probabilities of the classes of every image as tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..metrics.auc_interval import Interval, auc_intervals
from ..utils.distributed import gathered, rank
from ..utils.files import write_csv

logger = logging.getLogger(__name__)

PROBABILITIES, METRICS, INTERVALS = "probabilities.csv", "metrics.csv", "intervals.csv"
MEAN, POOLED = "mean", "pooled"


class Image(NamedTuple):
    """What is known of an image: a probability and, maybe, a 0 or 1 per class, and its patient."""

    probability: np.ndarray
    label: np.ndarray | None
    patient: str


class ClassTable:
    """Write the probabilities of each image and, where labels are known, how well the classes are told apart.

    ``probabilities.csv`` has one row per image: its id, and a column per class. With labels there are two more:
    ``metrics.csv`` with ``task, metric, unit, case, value``, and ``intervals.csv`` with, for each class and their mean,
    the numbers of images with and without it, the area under the ROC curve and the 95 % interval over resampled
    patients (`auc_intervals`). A value that is not defined is empty.

    Args:
        folder: where they go.
        task: name of the task in ``metrics.csv``.
        classes: names of the classes, in the order of the columns.
        seed: of the resampling.
    """

    def __init__(self, folder: str | Path, task: str, classes: Iterable[str], seed: int = 0) -> None:
        self.folder = Path(folder)
        self.task = task
        self.classes = list(classes)
        self.seed = seed
        self._images: dict[str, Image] = {}

    def attach(self, engine: Evaluator) -> None:
        """Attach to an evaluator whose predictions are probabilities."""
        engine.add_event_handler(Events.STARTED, lambda: self._images.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def note(self, engine: Engine) -> None:
        """Keep the probabilities, labels and patients of a batch."""
        records: Any = engine.state.batch
        output: Any = engine.state.output
        for record, case in zip(records, output, strict=True):
            label = case.get("label")
            self._images[record["id"]] = Image(
                torch.as_tensor(case["pred"]).detach().float().cpu().numpy(),
                None if label is None else torch.as_tensor(label).cpu().numpy(),
                record.get("patient", record["id"]),
            )

    def write(self) -> None:
        """Write the tables of the images of all ranks."""
        images = {name: image for part in gathered(self._images) for name, image in part.items()}
        if rank() > 0 or not images:
            return
        names = sorted(images)
        rows = [
            {"id": name, **dict(zip(self.classes, map(_text, images[name].probability), strict=True))} for name in names
        ]
        write_csv(self.folder / PROBABILITIES, rows)
        if all(image.label is not None for image in images.values()):
            self._write_measures([images[name] for name in names])
        logger.info(f"The probabilities of {len(images)} images are in {self.folder}.")

    def _write_measures(self, images: list[Image]) -> None:
        probability = np.stack([image.probability for image in images])
        label = np.stack([np.asarray(image.label) for image in images])
        each, mean = auc_intervals(probability, label, [image.patient for image in images], seed=self.seed)
        values = dict(zip(["auc", *(f"auc_{name}" for name in self.classes)], [mean, *each], strict=True))
        long = [
            {"task": self.task, "metric": name, "unit": POOLED, "case": "", "value": _text(value.auc)}
            for name, value in values.items()
        ]
        write_csv(self.folder / METRICS, long)
        positives = (label > 0).sum(0).tolist()
        rows = [
            {"class": name, "with": count, "without": len(images) - count, **_columns(value)}
            for name, count, value in zip(self.classes, positives, each, strict=True)
        ]
        write_csv(self.folder / INTERVALS, [*rows, {"class": MEAN, **_columns(mean)}])
        logger.info(
            f"Area under the ROC curve, mean of {sum(not isnan(value.auc) for value in each)} classes over "
            f"{len(images)} images: {mean.auc:.3f} (95 % interval {mean.low:.3f} to {mean.high:.3f})."
        )


def _columns(value: Interval) -> dict[str, str]:
    return {"auc": _text(value.auc), "low": _text(value.low), "high": _text(value.high)}


def _text(value: float) -> str:
    return "" if isnan(value) else f"{value:.6f}"

"""The measures of every case of an evaluation as tables."""

from __future__ import annotations

import csv
import logging
import statistics
from collections.abc import Iterable
from math import isnan, nan
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..metrics.overlap import POOLED, known_mean, structure_measures
from ..utils.distributed import gathered, rank
from ..utils.files import write_csv

logger = logging.getLogger(__name__)

CASES, METRICS = "cases.csv", "metrics.csv"

Rows = dict[str, dict[str, float]]


class CaseTable:
    """Write the measures of each case and the pooled ones, once for reading and once for programs.

    ``cases.csv`` has one row per case, then their mean and standard deviation, and the pooled measures; a column per
    measure. ``metrics.csv`` has one row per value: ``task, metric, unit, case, value``; the unit is ``case`` or
    ``pooled``. A value that is not defined is empty in both.

    Args:
        folder: where both go.
        task: name of the task in ``metrics.csv``.
        structures: names of the structures, in the order of the channels; see `structure_measures`.
    """

    def __init__(self, folder: str | Path, task: str, structures: Iterable[str]) -> None:
        self.folder = Path(folder)
        self.task = task
        self.structures = list(structures)
        self._counts: dict[str, torch.Tensor] = {}

    def attach(self, engine: Evaluator) -> None:
        """Attach to an evaluator whose post-processing ends with `MeasureOverlapd`."""
        engine.add_event_handler(Events.STARTED, lambda: self._counts.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def note(self, engine: Engine) -> None:
        """Keep the counts of the cases of a batch."""
        output: Any = engine.state.output
        self._counts.update({case["case"]: case["overlap"].cpu() for case in output})

    def write(self) -> None:
        """Write the tables of the cases of all ranks."""
        counts = {name: count for part in gathered(self._counts) for name, count in part.items()}
        if rank() > 0:
            return
        cases = {name: structure_measures(counts[name], self.structures) for name in sorted(counts)}
        pooled = structure_measures(torch.stack(list(counts.values())).sum(0), self.structures)
        table = {**cases, "mean": _over(cases, known_mean), "sd": _over(cases, _deviation), POOLED: pooled}
        write_csv(
            self.folder / CASES,
            [{"case": name, **{measure: _text(v) for measure, v in row.items()}} for name, row in table.items()],
        )
        values = [("case", name, row) for name, row in cases.items()] + [(POOLED, "", pooled)]
        write_csv(
            self.folder / METRICS,
            [
                {"task": self.task, "metric": measure, "unit": unit, "case": name, "value": _text(value)}
                for unit, name, row in values
                for measure, value in row.items()
            ],
        )
        logger.info(f"The measures of {len(cases)} cases are in {self.folder}.")


def _over(cases: Rows, summary: Any) -> dict[str, float]:
    """Return a summary of each measure over the cases."""
    names = next(iter(cases.values()), {})
    return {name: summary([row[name] for row in cases.values()]) for name in names}


def _deviation(values: Iterable[float]) -> float:
    """Return the standard deviation of the values that are numbers; NaN if there are fewer than two."""
    known = [value for value in values if not isnan(value)]
    return statistics.stdev(known) if len(known) > 1 else nan


def _text(value: float) -> str:
    return "" if isnan(value) else f"{value:.8f}"


def read_cases(path: Path) -> Rows:
    """Read ``cases.csv`` of a `CaseTable`: per row its measures, NaN where undefined."""
    with open(path, newline="", encoding="utf-8") as file:
        return {
            row.pop("case"): {name: float(value) if value else nan for name, value in row.items()}
            for row in csv.DictReader(file)
        }

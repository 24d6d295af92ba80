"""The measures of every case of an evaluation as a table."""

from __future__ import annotations

import csv
import logging
from math import nan
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..metrics.overlap import MEASURES, overlap_measures
from ..utils.distributed import rank, world_size
from ..utils.files import write_csv

logger = logging.getLogger(__name__)


class CaseTable:
    """Write one row per case to a CSV file, then their mean and standard deviation, and the pooled measures.

    Args:
        path: the CSV file; columns ``case`` and `MEASURES`, undefined values stay empty.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._cases: dict[str, torch.Tensor] = {}

    def attach(self, engine: Evaluator) -> None:
        """Attach to an evaluator whose post-processing ends with `MeasureOverlapd`."""
        engine.add_event_handler(Events.STARTED, lambda: self._cases.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def note(self, engine: Engine) -> None:
        """Keep the counts of the cases of a batch."""
        for record, case in zip(engine.state.batch, engine.state.output, strict=True):
            self._cases[record["id"]] = case["overlap"].cpu()

    def write(self, engine: Engine) -> None:
        """Write the table of the cases of all ranks."""
        cases = self._gathered()
        if rank() > 0:
            return
        rows = {name: overlap_measures(cases[name]) for name in sorted(cases)}
        values = torch.tensor([[row[name] for name in MEASURES] for row in rows.values()], dtype=torch.float64)
        mean = values.nanmean(0)
        known = values.isfinite().sum(0)
        deviation = ((values - mean).square().nansum(0) / (known - 1).clamp(min=0)).sqrt()  # 0 / 0 is undefined
        rows["mean"] = dict(zip(MEASURES, mean.tolist(), strict=True))
        rows["sd"] = dict(zip(MEASURES, deviation.tolist(), strict=True))
        rows["pooled"] = overlap_measures(torch.stack(list(cases.values())).sum(0))
        texts = {
            name: {measure: "" if value != value else f"{value:.8f}" for measure, value in row.items()}
            for name, row in rows.items()
        }
        write_csv(self.path, [{"case": name, **row} for name, row in texts.items()])
        logger.info(f"The measures of {len(cases)} cases are in {self.path}.")

    def _gathered(self) -> dict[str, torch.Tensor]:
        if world_size() == 1:
            return self._cases
        parts: list[Any] = [None] * world_size()
        dist.all_gather_object(parts, self._cases)
        return {name: counts for part in parts for name, counts in part.items()}


def read_cases(path: Path) -> dict[str, dict[str, float]]:
    """Read the table that `CaseTable` wrote: per row its measures, NaN where undefined."""
    with open(path, newline="", encoding="utf-8") as file:
        return {
            row.pop("case"): {name: float(value) if value else nan for name, value in row.items()}
            for row in csv.DictReader(file)
        }

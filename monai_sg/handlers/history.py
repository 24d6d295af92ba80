"""The learning curves of a run as a table."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

from ignite.engine import Engine, Events
from monai.engines import Evaluator, Trainer

from ..utils.distributed import rank
from ..utils.files import write_csv

logger = logging.getLogger(__name__)

LOGGED = 4


class History:
    """Write one row per epoch to a CSV file: metrics of trainer and validator, learning rate; log the first of them.

    The validator's metrics stay empty in epochs without validation.
    Rows after the epoch a resumed run starts from are replaced. Has to come after the handler that validates.

    Args:
        path: the CSV file.
        validator: whose metrics are written, under ``validation_<name>``.
    """

    def __init__(self, path: str | Path, validator: Evaluator) -> None:
        self.path = Path(path)
        self.validator = validator

    def attach(self, engine: Trainer) -> None:
        """Attach to a trainer."""
        if rank() == 0:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Add the row of the epoch that has just ended."""
        epoch = engine.state.epoch
        rows = [row for row in read_history(self.path) if row["epoch"] < epoch] if epoch > 1 else []
        row = {"epoch": float(epoch), "learning_rate": engine.optimizer.param_groups[0]["lr"]}
        row |= {name: float(value) for name, value in engine.state.metrics.items()}
        if self.validator.state.epoch == epoch:
            row |= {f"validation_{name}": float(value) for name, value in self.validator.state.metrics.items()}
        rows.append(row)
        write_csv(self.path, rows)
        logger.info(f"Epoch {epoch} of {engine.state.max_epochs}: {self._text(engine)}.")

    def _text(self, engine: Engine) -> str:
        """Return the metrics of training and validation in a few words."""
        parts = [f"training {_listed(engine.state.metrics)}"]
        validation = self.validator.state
        if validation.epoch == engine.state.epoch:
            parts.append(f"validation {_listed(validation.metrics)}")
            parts += ["best so far"] if validation.best_metric_epoch == validation.epoch else []
        return "; ".join(parts)


def _listed(metrics: Mapping[str, float]) -> str:
    first = sorted(metrics, key=lambda name: name != "loss")[:LOGGED]
    return ", ".join(f"{name} {float(metrics[name]):.4f}" for name in first)


def read_history(path: str | Path) -> list[dict[str, float]]:
    """Read the rows that `History` wrote; an absent file gives none."""
    if not Path(path).is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]

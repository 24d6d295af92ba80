"""Dice of the same weights with running and with recalibrated statistics of batch norm, and what the latter cost.

``python -m tests.benchmarks.batch_norm --output OUT`` trains a small network on phantoms with a liver and prints a row
for every second epoch: the mean Dice of two validation phantoms by the running statistics, and by those recalibrated
over 1, 2, 4 and 8 training batches; below, seconds of the processor.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any

import torch
from ignite.engine import Events

from monai_sg.commands.demo_steps import LIVER, LIVER_PATIENTS, LIVER_SEED, SHAPE
from monai_sg.data.phantom.ct import write_ct_cohort
from monai_sg.handlers.recalibration import Recalibration
from monai_sg.metrics.overlap import overlap_counts, overlap_measures
from monai_sg.runs.fine_tuning import FineTuning
from monai_sg.utils.bundle_folders import SEGMENTATION

BATCHES = (1, 2, 4, 8)


class StatisticsCompared:
    """Measures a network in training by its running statistics and by recalibrated ones, and leaves it as it was.

    Args:
        parser: of an initialised ``train.json``.
    """

    def __init__(self, parser: Any) -> None:
        get = parser.get_parsed_content
        self.network, self.inferer, self.images = get("network"), get("validate::inferer"), get("validate::dataset")
        self.ways = {
            number: Recalibration(
                self.network, get("train::dataset"), get("batch_size"), get("seed"), "cpu", number, amp=get("amp")
            )
            for number in BATCHES
        }
        self.rows: list[list[float]] = []
        self.seconds: dict[int, list[float]] = {number: [] for number in BATCHES}

    def measure(self, epoch: int) -> None:
        """Add a row."""
        before = {name: value.clone() for name, value in self.network.named_buffers()}
        row = [epoch, self._dice()]
        for number, recalibrate in self.ways.items():
            start = process_time()
            recalibrate()
            self.seconds[number].append(process_time() - start)
            row.append(self._dice())
        for name, value in self.network.named_buffers():
            value.copy_(before[name])
        self.network.train()
        self.rows.append(row)

    @torch.no_grad()
    def _dice(self) -> float:
        self.network.eval()
        values = []
        for item in (self.images[index] for index in range(len(self.images))):
            probability = torch.sigmoid(self.inferer(item["image"][None], self.network)[0])
            values.append(overlap_measures(overlap_counts(probability, item["label"]))["dice@0.5"])
        return sum(values) / len(values)

    def lines(self, epoch_seconds: float) -> list[str]:
        """Return the table as Markdown."""
        lines = ["| epoch | running | " + " | ".join(f"over {number}" for number in BATCHES) + " |"]
        lines.append("|" + "---|" * (len(BATCHES) + 2))
        lines += [f"| {row[0]:.0f} | " + " | ".join(f"{value:.3f}" for value in row[1:]) + " |" for row in self.rows]
        costs = [sum(found[1:]) / max(1, len(found) - 1) for found in self.seconds.values()]  # the first one loads
        lines.append(f"| s, of {epoch_seconds:.1f} | | " + " | ".join(f"{cost:.2f}" for cost in costs) + " |")
        return lines


def compare(folder: Path, epochs: int, seed: int) -> list[str]:
    """Train, and return the table."""
    data = folder / "phantom"
    if not (data / f"segmentation-{LIVER_PATIENTS[-1]}.nii").is_file():
        write_ct_cohort(data, seed=LIVER_SEED, layout="lits", numbers=LIVER_PATIENTS, shape=SHAPE)
    settings = {**LIVER, "dataset_dir": str(data), "epochs": epochs, "seed": seed, "train::handlers": []}
    parser = FineTuning(SEGMENTATION, folder / f"seed_{seed}", settings).workflow().parser
    trainer, compared = parser.get_parsed_content("train::trainer"), StatisticsCompared(parser)
    spent = [process_time(), 0.0]

    def measure() -> None:
        spent[1] += process_time() - spent[0]
        if trainer.state.epoch % 2 == 0:
            compared.measure(trainer.state.epoch)
        spent[0] = process_time()

    trainer.add_event_handler(Events.EPOCH_COMPLETED, measure)
    trainer.run()
    return compared.lines(spent[1] / epochs)


def main(given: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(given)
    print("\n".join(compare(args.output.resolve(), args.epochs, args.seed)))


if __name__ == "__main__":
    main()

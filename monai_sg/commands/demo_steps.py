"""The steps of the demo: phantoms, pre-training, measurement, fine-tuning."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from ..data.phantom.ct import write_ct_cohort
from ..reports.fine_tuning import draw_comparison
from ..reports.pretraining import draw_pretraining
from ..runs.chain import STAGES, Chain, places
from ..studies.comparison import PRETRAINED, Comparison, run_comparison
from ..studies.evaluation import Evaluation, evaluate
from ..utils.bundle_folders import PRETRAINING, SEGMENTATION
from ..utils.errors import UserError
from ..utils.files import absolute

logger = logging.getLogger(__name__)

PATIENTS = 32
SHAPE = (80, 64, 64)
SMALL = {
    "width": 8,
    "crop_size": [32, 32, 16],
    "overview_size": [32, 32, 32],
    "num_classes": 20,
    "batch_size": 8,
    "num_workers": 0,
}
EPOCHS = {"autoencoder": 20, "discover": 1, "classify": 4, "train": 4}
LARGEST_RATIO = 0.8
LEAST_TIMES_CHANCE = 5.0

# Other persons than those of the pre-training: two to learn from, two to validate on, six to measure.
LIVER_SEED = 1
LIVER_PATIENTS = (0, 1, 100, 101, 115, 116, 117, 118, 119, 120)
LIVER = {
    "width": 8,
    "roi_size": [32, 32, 16],
    "image_size": [],
    "batch_size": 4,
    "patches_per_volume": 32,
    "foreground_share": 0.75,
    "num_workers": 0,
    "val_interval": 2,
}
LIVER_EPOCHS = 10


class Demo:
    """Pre-train, measure, fine-tune, measure; each step is announced with its number and the time left.

    Args:
        data: folder of CT scans; phantoms without it.
        labelled: folder of images and label maps; phantoms if both are ``None``.
        output: folder for everything that is written.
        epochs: of every training, or a number for each of its own.
        seeds: of the fine-tuning.
        check: whether a network that learnt nothing is an error; for phantoms by default.
        overrides: ids of the pre-training configs with their values.
    """

    def __init__(
        self,
        data: str | None,
        labelled: str | None,
        output: str,
        epochs: int | None,
        seeds: int,
        check: bool | None,
        overrides: dict[str, Any],
    ) -> None:
        self.folder = absolute(output)
        self.phantoms = data is None and labelled is None
        self.data, self.labelled = data, labelled
        self.check = self.phantoms if check is None else check
        self.epochs, self.seeds, self.overrides = epochs, seeds, overrides

    def run(self) -> list[str]:
        """Run all steps, print the measures on the way, and return lines that say where everything is.

        Raises:
            UserError: a check failed.
        """
        data = self.data or _phantom(self.folder / "phantom")
        pictures = self._pretrain({**places(data, str(self.folder)), **SMALL, **self.overrides})
        labelled = _labelled_phantom(self.folder / "labelled_phantom") if self.phantoms else self.labelled
        if labelled is not None:
            pictures += self._fine_tune(labelled)
        return ["", f"weights     {self.folder / 'models' / 'model.pt'}", *(f"picture     {path}" for path in pictures)]

    def _pretrain(self, settings: dict[str, Any]) -> list[Path]:
        """Run the chain, print what it learnt, and return the pictures."""
        chain = Chain(PRETRAINING, settings)
        chain.run(**{stage: {"epochs": EPOCHS[stage] if self.epochs is None else self.epochs} for stage in STAGES})
        result = evaluate(chain)
        _print(result.lines())
        if self.check:
            _check(result)
        return draw_pretraining(chain, self.folder / "figures")

    def _fine_tune(self, labelled: str) -> list[Path]:
        """Fine-tune from the weights and from scratch, print both, and return the pictures."""
        more = {"dataset_dir": str(absolute(labelled)), **LIVER}
        weights, epochs = self.folder / "models" / "model.pt", LIVER_EPOCHS if self.epochs is None else self.epochs
        result = run_comparison(SEGMENTATION, weights, self.folder / "liver", range(self.seeds), [epochs], more)
        _print(result.lines())
        if self.check:
            _check_liver(result, epochs)
        return draw_comparison(result.runs, self.folder / "liver" / "figures")


def _print(lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join(["", *lines, ""]))
    sys.stdout.flush()


def _phantom(folder: Path) -> str:
    if not (folder / "annotations.csv").is_file():
        logger.info(f"Writing a phantom cohort of {PATIENTS} patients to {folder}.")
        write_ct_cohort(folder, PATIENTS, shape=SHAPE)
    return str(folder)


def _labelled_phantom(folder: Path) -> str:
    if not (folder / f"segmentation-{LIVER_PATIENTS[-1]}.nii").is_file():
        logger.info(f"Writing {len(LIVER_PATIENTS)} labelled phantoms, laid out as LiTS-2017, to {folder}.")
        write_ct_cohort(folder, seed=LIVER_SEED, layout="lits", numbers=LIVER_PATIENTS, shape=SHAPE)
    return str(folder)


def _check(result: Evaluation) -> None:
    if result.restoration_ratio > LARGEST_RATIO:
        raise UserError(
            f"The restoration error is {result.restoration_ratio:.2f} of that of the better trivial answer; "
            f"at most {LARGEST_RATIO} was expected."
        )
    if result.times_chance <= LEAST_TIMES_CHANCE:
        raise UserError(
            f"The pseudo labels are told {result.times_chance:.1f} times as well as by chance; "
            f"more than {LEAST_TIMES_CHANCE} times was expected."
        )


def _check_liver(comparison: Comparison, epochs: int) -> None:
    ours = mean(comparison.values("dice@0.5_pooled", PRETRAINED, epochs))
    threshold = mean(comparison.values("dice@0.5_pooled", "best threshold", 0))
    if ours <= threshold:
        raise UserError(
            f"The fine-tuned network has a Dice of {ours:.3f}, the best single intensity threshold {threshold:.3f}; "
            "more was expected."
        )

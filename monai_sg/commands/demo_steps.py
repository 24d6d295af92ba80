"""The steps of the demo: phantoms, pre-training, measurement, fine-tuning."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from time import monotonic
from typing import Any

from ..data.phantom.ct import write_ct_cohort
from ..reports.fine_tuning import draw_comparison
from ..reports.pretraining import draw_pretraining
from ..runs.chain import STAGES, Chain, places
from ..studies.arms import Arm
from ..studies.comparison import Comparison, run_comparison
from ..studies.evaluation import Evaluation, evaluate
from ..studies.voxel_baselines import THRESHOLD
from ..utils.bundle_folders import PRETRAINING, SEGMENTATION
from ..utils.errors import UserError
from ..utils.files import absolute
from ..utils.progress import duration

logger = logging.getLogger(__name__)

PATIENTS = 32
SHAPE = (80, 64, 64)
SMALL = {
    "width": 8,
    "crop_size": [32, 32, 16],
    "overview_size": [32, 32, 32],
    "num_classes": 12,
    "scales": 2,
    "batch_size": 8,
    "learning_rate": 0.003,
    "num_workers": 0,
}
TRAININGS = {
    "autoencoder": {"epochs": 20, "val_interval": 5},
    "classify": {"epochs": 8},
    "train": {"epochs": 8},
}
LARGEST_RATIO = 0.8
LEAST_TIMES_CHANCE = 5.0
PRETRAINED = "pre-trained"

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

TITLES = {
    "autoencoder": "training an auto-encoder on whole scans",
    "discover": "discovering patterns",
    "classify": "learning to tell the patterns",
    "train": "learning to restore and tell them",
}
# Processor seconds of each step on a Xeon of 2023, for the time left.
SECONDS = {
    "phantoms": 14,
    "autoencoder": 37,
    "discover": 2,
    "classify": 45,
    "train": 120,
    "measure": 10,
    "fine-tuning": 120,
}


@dataclass(frozen=True)
class Step:
    """A step of the demo: what it does, and about how long it takes."""

    title: str
    seconds: float
    run: Callable[[], None]


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
        self.makes_scans, self.phantoms = data is None, data is None and labelled is None
        self.data = str(self.folder / "phantom") if data is None else data
        self.labelled = str(self.folder / "labelled_phantom") if self.phantoms else labelled
        self.check = self.phantoms if check is None else check
        self.epochs, self.seeds, self.overrides = epochs, seeds, overrides
        self.pictures: list[Path] = []

    def run(self) -> list[str]:
        """Run all steps, print the measures on the way, and return lines that say where everything is.

        Raises:
            UserError: a check failed.
        """
        steps = self._steps()
        total, start, done = sum(step.seconds for step in steps), monotonic(), 0.0
        for number, step in enumerate(steps, start=1):
            left = total - done if number == 1 else (monotonic() - start) / done * (total - done)
            logger.info(f"Step {number} of {len(steps)}: {step.title}; about {duration(left)} left.")
            step.run()
            done += step.seconds
        weights = self.folder / "models" / "model.pt"
        return ["", f"weights     {weights}", *(f"picture     {path}" for path in self.pictures)]

    def _steps(self) -> list[Step]:
        steps = [Step(title, SECONDS[stage], partial(self._stage, stage)) for stage, title in TITLES.items()]
        steps.append(Step("measuring what was learnt", SECONDS["measure"], self._measure))
        if self.makes_scans:
            steps.insert(0, Step("writing phantoms", SECONDS["phantoms"], self._write_phantoms))
        if self.labelled is not None:
            title = f"fine-tuning from the weights and from scratch, {self.seeds} seed{'s' * (self.seeds > 1)}"
            steps.append(Step(title, SECONDS["fine-tuning"] * self.seeds, self._fine_tune))
        return steps

    def _write_phantoms(self) -> None:
        if not Path(self.data, "annotations.csv").is_file():
            write_ct_cohort(Path(self.data), PATIENTS, shape=SHAPE)
        labelled = self.folder / "labelled_phantom"
        if self.phantoms and not (labelled / f"segmentation-{LIVER_PATIENTS[-1]}.nii").is_file():
            write_ct_cohort(labelled, seed=LIVER_SEED, layout="lits", numbers=LIVER_PATIENTS, shape=SHAPE)

    def _chain(self, *stages: str) -> Chain:
        settings = {**places(self.data, str(self.folder)), **SMALL, **self.overrides}
        return Chain(PRETRAINING, settings, stages or STAGES)

    def _stage(self, stage: str) -> None:
        own = dict(TRAININGS.get(stage, {}))
        if own and self.epochs is not None:
            own["epochs"] = self.epochs
        self._chain(stage).run(**{stage: own})

    def _measure(self) -> None:
        """Print what the pre-training learnt, and draw it."""
        result = evaluate(self._chain())
        _print(result.lines())
        if self.check:
            _check(result)
        self.pictures += draw_pretraining(self._chain(), self.folder / "figures")

    def _fine_tune(self) -> None:
        """Fine-tune from the weights and from scratch, print both, and draw them."""
        more = {"dataset_dir": str(absolute(str(self.labelled))), **LIVER}
        weights, epochs = self.folder / "models" / "model.pt", LIVER_EPOCHS if self.epochs is None else self.epochs
        arms = [Arm(PRETRAINED, (weights,))]
        result = run_comparison(SEGMENTATION, arms, self.folder / "liver", range(self.seeds), [epochs], more)
        _print(result.lines())
        if self.check:
            _check_liver(result, epochs)
        self.pictures += draw_comparison(result.runs, self.folder / "liver" / "figures")


def _print(lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join(["", *lines, ""]))
    sys.stdout.flush()


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
    threshold = mean(comparison.values("dice@0.5_pooled", THRESHOLD, 0))
    if ours <= threshold:
        raise UserError(
            f"The fine-tuned network has a Dice of {ours:.3f}, the best single intensity threshold {threshold:.3f}; "
            "more was expected."
        )

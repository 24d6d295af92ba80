"""See the whole chain work, from scans to a segmentation, on phantoms or on folders of one's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from ..data.phantom.ct import write_ct_cohort
from ..reports.fine_tuning import draw_comparison
from ..reports.pretraining import draw_pretraining
from ..runs.chain import BUNDLE, STAGES, Chain, places
from ..studies.comparison import PRETRAINED, Comparison, run_comparison
from ..studies.evaluation import Evaluation, evaluate
from .compare import BUNDLE as LIVER_BUNDLE

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


def demo(
    data: str | None = None,
    labelled: str | None = None,
    output: str = "demo",
    epochs: int | None = None,
    seeds: int = 3,
    check: bool | None = None,
    **overrides: Any,
) -> str:
    """Pre-train a small network in minutes, fine-tune it with few labels, and show what that was good for.

    Args:
        data: folder of CT scans to pre-train on; a phantom cohort is made without it.
        labelled: folder of images and label maps to fine-tune on; a phantom cohort is made if both are left out.
        output: folder for everything that is written.
        epochs: of every stage; a number for each of its own without it.
        seeds: number of seeds of the fine-tuning.
        check: whether to fail when the network restores crops no better than trivial answers, does not tell the
            patterns, or draws the liver no better than a threshold; on for the phantoms.
        overrides: ids of the pre-training configs with their values.

    Returns:
        what was written; metrics beside trivial answers are printed on the way.

    Raises:
        ValueError: a check failed.
    """
    folder = Path(output).resolve()
    phantoms = data is None and labelled is None
    check = phantoms if check is None else check
    settings = {**places(data or _phantom(folder / "phantom"), output), **SMALL, **overrides}
    pictures = _pretrain(settings, epochs, folder / "figures", check)
    if phantoms:
        labelled = _labelled_phantom(folder / "labelled_phantom")
    if labelled is not None:
        pictures += _fine_tune(labelled, folder, LIVER_EPOCHS if epochs is None else epochs, seeds, check)
    return "\n".join(["", f"weights  {folder / 'models' / 'model.pt'}", *(f"picture  {path}" for path in pictures)])


def _pretrain(settings: dict[str, Any], epochs: int | None, figures: Path, check: bool) -> list[Path]:
    """Run the chain, print what it learnt, and return the pictures."""
    chain = Chain(BUNDLE, settings)
    chain.run(**{stage: {"epochs": EPOCHS[stage] if epochs is None else epochs} for stage in STAGES})
    result = evaluate(chain)
    _print(result.lines())
    if check:
        _check(result)
    return draw_pretraining(chain, figures)


def _fine_tune(labelled: str, folder: Path, epochs: int, seeds: int, check: bool) -> list[Path]:
    """Fine-tune from the weights and from scratch, print both, and return the pictures."""
    more = {"dataset_dir": str(Path(labelled).resolve()), **LIVER}
    weights = folder / "models" / "model.pt"
    result = run_comparison(LIVER_BUNDLE, weights, folder / "liver", range(seeds), [epochs], more)
    _print(result.lines())
    if check:
        _check_liver(result, epochs)
    return draw_comparison(result.runs, folder / "liver" / "figures")


def _print(lines: Sequence[str]) -> None:
    for line in ["", *lines]:
        logger.info(line)


def _labelled_phantom(folder: Path) -> str:
    if not (folder / f"segmentation-{LIVER_PATIENTS[-1]}.nii").is_file():
        logger.info(f"Writing {len(LIVER_PATIENTS)} labelled phantoms, laid out as LiTS-2017, to {folder}.")
        write_ct_cohort(folder, seed=LIVER_SEED, layout="lits", numbers=LIVER_PATIENTS, shape=SHAPE)
    return str(folder)


def _check_liver(comparison: Comparison, epochs: int) -> None:
    ours = mean(comparison.values("dice@0.5_pooled", PRETRAINED, epochs))
    threshold = mean(comparison.values("dice@0.5_pooled", "best threshold", 0))
    if ours <= threshold:
        raise ValueError(
            f"The fine-tuned network has a Dice of {ours:.3f}, the best single intensity threshold {threshold:.3f}; "
            "more was expected."
        )


def _phantom(folder: Path) -> str:
    if not (folder / "annotations.csv").is_file():
        logger.info(f"Writing a phantom cohort of {PATIENTS} patients to {folder}.")
        write_ct_cohort(folder, PATIENTS, shape=SHAPE)
    return str(folder)


def _check(result: Evaluation) -> None:
    if result.restoration_ratio > LARGEST_RATIO:
        raise ValueError(
            f"The restoration error is {result.restoration_ratio:.2f} of that of the better trivial answer; "
            f"at most {LARGEST_RATIO} was expected."
        )
    if result.times_chance <= LEAST_TIMES_CHANCE:
        raise ValueError(
            f"The pseudo labels are told {result.times_chance:.1f} times as well as by chance; "
            f"more than {LEAST_TIMES_CHANCE} times was expected."
        )

"""See the whole chain work, on a phantom cohort or on a folder of one's own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ..data.phantom.ct import write_ct_cohort
from .chain import STAGES, Chain
from .evaluation import Evaluation, evaluate
from .pictures import draw_all
from .pretrain import BUNDLE, places

logger = logging.getLogger(__name__)

PATIENTS = 48
SMALL = {
    "width": 8,
    "crop_size": [32, 32, 16],
    "overview_size": [32, 32, 32],
    "batch_size": 16,
    "num_workers": 0,
}
EPOCHS = {"autoencoder": 20, "discover": 1, "classify": 3, "train": 4}
LARGEST_RATIO = 0.8
LEAST_TIMES_CHANCE = 5.0


def demo(
    data: str | None = None,
    output: str = "demo",
    epochs: int | None = None,
    check: bool | None = None,
    **overrides: Any,
) -> str:
    """Pre-train a small network in minutes and show what it learnt.

    Args:
        data: folder of CT scans; a phantom cohort is made without it.
        output: folder for everything that is written.
        epochs: of every stage; a number for each of its own without it.
        check: whether to fail when the network restores crops no better than trivial answers or does not tell the
            patterns; on for the phantom cohort.
        overrides: ids of the configs with their values.

    Returns:
        metrics beside trivial answers, and what was written.

    Raises:
        ValueError: a check failed.
    """
    folder = Path(output).resolve()
    check = data is None if check is None else check
    settings = {**places(data or _phantom(folder / "phantom"), output), **SMALL, **overrides}
    for stage in STAGES:
        Chain(BUNDLE, {**settings, "epochs": EPOCHS[stage] if epochs is None else epochs}, [stage]).run()
    chain = Chain(BUNDLE, settings)
    result = evaluate(chain)
    pictures = draw_all(chain, folder / "figures")
    for line in result.lines():
        logger.info(line)
    if check:
        _check(result)
    weights = folder / "models" / "model.pt"
    return "\n".join(["", f"weights  {weights}", *(f"picture  {path}" for path in pictures)])


def _phantom(folder: Path) -> str:
    if not (folder / "annotations.csv").is_file():
        logger.info(f"Writing a phantom cohort of {PATIENTS} patients to {folder}.")
        write_ct_cohort(folder, PATIENTS)
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

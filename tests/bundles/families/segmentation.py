"""Segmentation: runs that are small enough for a test, and a cohort that is easy to learn."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events

from monai_sg.data.phantom.ct import write_ct_cohort
from monai_sg.handlers.case_table import read_cases
from monai_sg.handlers.resume import Resume
from monai_sg.runs.workflow import CheckedWorkflow
from tests.bundles.families.case import Case
from tests.bundles.folders import workflow

BUNDLE = "lcs_liver_ct_segmentation"
TRAIN, EVALUATE, INFERENCE = ["train.json"], ["train.json", "evaluate.json"], ["inference.json"]
PAPER = ["train.json", "preset_paper.json"]
SMALL: dict[str, Any] = {
    "width": 4,
    "roi_size": [16, 16, 16],
    "image_size": [],
    "num_workers": 0,
    "batch_size": 4,
    "patches_per_volume": 2,
    "sw_batch_size": 16,
    "epochs": 1,
    "amp": False,
    "device": "cpu",
}


def _compare(installed: Path, packed: Path) -> None:
    """Compare the Dice of every test case and the label map of an image."""
    with open(packed / "evaluation/dice_raw.csv", newline="") as file:
        dice = [float(row["mean"]) for row in csv.DictReader(file)]
    cases = read_cases(installed / "evaluation/cases.csv")
    assert dice == pytest.approx(
        [row["dice@0.5"] for name, row in cases.items() if name.startswith("volume")], abs=1e-4
    )
    (first,), (second,) = (list(each.glob("predictions/**/*.nii.gz")) for each in (installed, packed))
    maps = [nibabel.load(path) for path in (first, second)]
    assert np.allclose(maps[0].affine, maps[1].affine, atol=1e-4)
    assert np.asanyarray(maps[0].dataobj).any()
    assert (np.asanyarray(maps[0].dataobj) == np.asanyarray(maps[1].dataobj)).mean() > 0.9999


def case(write: Callable[[Path], Path], **more: Any) -> Case:
    """Return how a bundle of the family is run; ``more`` is what makes it small beside the usual."""
    small = {**SMALL, **more}
    long = {"epochs": 4, "learning_rate": 0.02}  # so that something is found
    two = {"batch_size": 2, "epochs": 2, "freeze_epochs": 1}
    flat = [*small["roi_size"][:-1], 0]
    return Case(
        write=write,
        small=small,
        stages={("train.json",): long},
        after={("train.json", "evaluate.json"): {}, ("inference.json",): {}},
        ranks={
            ("train.json", "multi_gpu_train.json"): two,
            ("train.json", "evaluate.json", "multi_gpu_evaluate.json"): two,
        },
        wrong=(
            ("train.json", "roi_size", flat),
            ("train.json", "spacing", [2]),
            ("train.json", "structures", [1]),
            ("train.json", "known_labels", 1),
            ("train.json", "batch_size", 0),
            ("inference.json", "image_size", [2]),
        ),
        compare=_compare,
    )


def write_lits(folder: Path) -> Path:
    """Write a cohort laid out like LiTS-2017: four training, two validation and two test scans."""
    return write_ct_cohort(folder, layout="lits", numbers=[0, 1, 2, 3, 100, 101, 115, 116], shape=(40, 32, 32))


CASES = {BUNDLE: case(write_lits)}


def overrides(data: Path, output: Path, **more: Any) -> dict[str, Any]:
    places = {"dataset_dir": str(data), "output_dir": str(output), "ckpt_dir": str(output / "models")}
    return {**places, **SMALL, **more}


def made(names: Sequence[str], data: Path, output: Path, **more: Any) -> CheckedWorkflow:
    """Return an initialised workflow that has not run."""
    return workflow(BUNDLE, names, overrides(data, output, **more))


def run(names: Sequence[str], data: Path, output: Path, **more: Any) -> Callable[[str], Any]:
    """Run configs; return what gives their components."""
    one = made(names, data, output, **more)
    one.run()
    one.finalize()
    return one.parser.get_parsed_content


def interrupted(data: Path, output: Path, epoch: int, **more: Any) -> None:
    """Train, and be killed after the first step of an epoch."""
    one = made(TRAIN, data, output, **more)
    for handler in one.parser.get_parsed_content("train::handlers"):
        if isinstance(handler, Resume):
            handler.interval = 0.0

    def stop(engine: Engine) -> None:
        if engine.state.epoch == epoch:
            raise KeyboardInterrupt

    one.parser.get_parsed_content("train::trainer").add_event_handler(Events.ITERATION_COMPLETED, stop)
    with pytest.raises(KeyboardInterrupt):
        one.run()
    one.finalize()


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    """Return what a run has saved."""
    return torch.load(run_dir / "models" / "model.pt", weights_only=True)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def cause(error: BaseException) -> BaseException:
    """Return the error that MONAI has wrapped in errors of its own."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([3.0, 2.0, 4.0, 1.0]) if affine is None else affine), path)
    return path


def write_cubes(folder: Path, number: int = 6, size: int = 24) -> Path:
    """Write ``images`` and ``labels`` of noise of -800 HU with a cube of 200 HU, a third of the image wide, inside."""
    generator = np.random.default_rng(0)
    edge = size // 3
    for index in range(number):
        start = generator.integers(size // 4, size - size // 4 - edge + 1, 3)
        label = np.zeros((size,) * 3, np.uint8)
        label[tuple(slice(first, first + edge) for first in start)] = 1
        image = np.where(label, 200, -800) + generator.normal(0, 30, label.shape)
        write_nifti(folder / "images" / f"case_{index}.nii.gz", image.astype(np.int16))
        write_nifti(folder / "labels" / f"case_{index}.nii.gz", label)
    return folder

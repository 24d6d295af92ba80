"""One run of a fine-tuning bundle: train, then measure on the test images."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.prepared import PreparedDataset
from ..handlers.case_table import read_cases
from ..utils.bundle_folders import bundle_root
from ..utils.errors import UserError
from ..utils.files import absolute
from ..weights.description import encoder_settings, settings_of
from .chain import initialised_workflow, places
from .overrides import taken_overrides
from .record import RunRecord
from .workflow import CheckedWorkflow

logger = logging.getLogger(__name__)


def fine_tuning_workflow(
    bundle: str, weights: str | None, data: str, output: str, overrides: Mapping[str, Any]
) -> CheckedWorkflow:
    """Return the initialised workflow of ``train.json``.

    Args:
        bundle: name of the bundle.
        weights: plain state dict, whose description gives width, number of axes and intensities; ``None`` from scratch.
        data: folder with images and labels.
        output: folder for everything that is written.
        overrides: id to value; they win.

    Raises:
        UserError: there are no such weights, or an override names no id.
    """
    config = bundle_root(bundle) / "configs" / "train.json"
    return initialised_workflow([config], {**places(data, output), **_start_settings(weights, config), **overrides})


def _start_settings(weights: str | None, config: Path) -> dict[str, Any]:
    """Return the overrides of a config that start a training from weights."""
    if weights is None:
        return {}
    path = absolute(weights)
    if not path.is_file():
        raise UserError(f"There are no weights {path}; --weights takes a file such as models/model.pt of a run.")
    return {"pretrained_path": str(path), **described_overrides(path, config)}


def described_overrides(weights: Path, config: Path) -> dict[str, Any]:
    """Return the overrides of a config that suit weights to start from, as the description beside them says.

    They are what builds the encoder, and the intensities.
    """
    found = encoder_settings(weights)
    window = settings_of(weights).get("intensity_range")
    found |= {} if window is None else {"intensity_range": window}
    taken = {name: found[name] for name in taken_overrides(str(config), found)}
    if taken:
        listed = ", ".join(f"{name} {value}" for name, value in taken.items())
        logger.info(f"From {weights.with_suffix('.json').name} beside the weights: {listed}.")
    return taken


class FineTuning:
    """Train and evaluate a fine-tuning bundle in a folder of its own; what has finished is not run again.

    Args:
        bundle: name of the bundle.
        folder: for everything the run writes.
        overrides: id to value.
    """

    def __init__(self, bundle: str, folder: Path, overrides: Mapping[str, Any]) -> None:
        self.configs = bundle_root(bundle) / "configs"
        self.folder = folder
        self.overrides = {**overrides, "output_dir": str(folder), "ckpt_dir": str(folder / "models")}

    @property
    def cases(self) -> Path:
        """The table of measures per test case."""
        return self.folder / "evaluation" / "cases.csv"

    def workflow(self, *overlays: str, **more: Any) -> CheckedWorkflow:
        """Return the initialised workflow of ``train.json`` with overlays."""
        files = [self.configs / f"{name}.json" for name in ("train", *overlays)]
        return initialised_workflow(files, {**self.overrides, **more})

    def test_images(self) -> PreparedDataset:
        """Return the test images with their labels, on the grid of the network, and never others in their place."""
        own = {"validate::dataset::data::split": "test", "validate::dataset::fallback": None}
        parser = self.workflow(**own).parser
        return parser.get_parsed_content("validate::dataset")

    def training_images(self) -> PreparedDataset:
        """Return the training images of this run."""
        return self.workflow().parser.get_parsed_content("train::dataset")

    def run(self) -> dict[str, dict[str, float]]:
        """Train and evaluate; return the rows of the table of cases, with ``mean``, ``sd`` and ``pooled``."""
        workflow = self.workflow()
        if not _record(workflow).is_done:
            self.cases.unlink(missing_ok=True)
            workflow.run()
        evaluation = self.workflow("evaluate")
        if not (_record(evaluation).is_done and self.cases.is_file()):
            evaluation.run()
        return read_cases(self.cases)


def _record(workflow: CheckedWorkflow) -> RunRecord:
    record: RunRecord = workflow.parser.get_parsed_content("record")
    return record

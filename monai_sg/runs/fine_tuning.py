"""One run of a fine-tuning bundle: train, then measure on the test images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.utils import set_determinism

from ..data.prepared import PreparedDataset
from ..handlers.case_table import read_cases
from ..utils.bundle_folders import bundle_root
from .chain import initialised_workflow
from .record import RunRecord
from .workflow import CheckedWorkflow


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
        """Return the test images with their labels, on the grid of the network."""
        parser = self.workflow(**{"validate::dataset::data::split": "test"}).parser
        return parser.get_parsed_content("validate::dataset")

    def training_images(self) -> PreparedDataset:
        """Return the training images of this run."""
        return self.workflow().parser.get_parsed_content("train::dataset")

    def run(self) -> dict[str, dict[str, float]]:
        """Train and evaluate; return the rows of the table of cases, with ``mean``, ``sd`` and ``pooled``."""
        workflow = self.workflow()
        record: RunRecord = workflow.parser.get_parsed_content("record")
        if not record.is_done:
            self.cases.unlink(missing_ok=True)
            # The network is built from the global generator, which reading the settings above may have used.
            set_determinism(seed=self.overrides["seed"])
            workflow.run()
        if not self.cases.is_file():
            self.workflow("evaluate").run()
        return read_cases(self.cases)

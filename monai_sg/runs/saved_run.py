"""What a finished training knows about itself, so that nothing has to be typed again to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..handlers.case_table import read_cases
from ..utils.bundle_folders import PRETRAINING, SEGMENTATION, bundle_root
from ..utils.errors import UserError
from ..utils.files import absolute, read_json
from .chain import initialised_workflow
from .workflow import CheckedWorkflow, taken_overrides

SUMMARY = ("mean", "sd", "pooled")


class SavedRun:
    """The output folder of a training, with the settings in its ``train/arguments.json``.

    Args:
        folder: ``output_dir`` of the training.
        bundle: name of the bundle; by default the one that the run says.

    Raises:
        UserError: no training has left its settings there.
    """

    def __init__(self, folder: str, bundle: str | None = None) -> None:
        self.folder = absolute(folder)
        path = self.folder / "train" / "arguments.json"
        if not path.is_file():
            raise UserError(
                f"{path} is absent, which every training leaves; --run takes the output folder of `monai-sg pretrain` "
                "or `monai-sg finetune`."
            )
        self.arguments: dict[str, Any] = read_json(path)
        self.configs = bundle_root(bundle or self._bundle()) / "configs"

    def _bundle(self) -> str:
        is_pretraining = (self.folder / "patterns.json").is_file()
        return PRETRAINING if is_pretraining else SEGMENTATION

    def workflow(
        self, names: Sequence[str], places: Mapping[str, Any], overrides: Mapping[str, Any]
    ) -> CheckedWorkflow:
        """Return the initialised workflow of configs of the bundle.

        Args:
            names: files of the configs, merged in order.
            places: folders that win over those of the training.
            overrides: ids with values, which win over everything.
        """
        files = [str(self.configs / name) for name in names]
        own = {name: self.arguments[name] for name in taken_overrides(files, self.arguments)}
        return initialised_workflow(files, {"output_dir": str(self.folder), **own, **places, **overrides})

    def measures(self, workflow: CheckedWorkflow) -> list[str]:
        """Return what an evaluation found, a line per measure; those of the test cases where there is a table."""
        if self.cases.is_file():
            rows = read_cases(self.cases)
            lines = [f"{'':<24}" + "".join(f"{name:>12}" for name in SUMMARY)]
            for measure in rows["mean"]:
                lines.append(f"{measure:<24}" + "".join(f"{rows[name][measure]:>12.4f}" for name in SUMMARY))
            return [f"{len(rows) - len(SUMMARY)} test cases", "", *lines]
        metrics: Mapping[str, float] = workflow.parser.get_parsed_content("validate::evaluator").state.metrics
        return [f"{name:<32}{float(value):>12.4f}" for name, value in metrics.items()]

    @property
    def cases(self) -> Path:
        """The table of the test cases, which an evaluation of a fine-tuning writes."""
        return self.folder / "evaluation" / "cases.csv"

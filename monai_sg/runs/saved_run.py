"""What a finished training knows about itself, so that nothing has to be typed again to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..handlers.case_table import read_cases
from ..utils.bundle_folders import bundle_root
from ..utils.errors import UserError
from ..utils.files import absolute, read_json
from ..weights.description import description_of
from .chain import initialised_workflow
from .overrides import taken_overrides
from .workflow import CheckedWorkflow

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
        self.configs = (self._trained_bundle() if bundle is None else bundle_root(bundle)) / "configs"

    def _trained_bundle(self) -> Path:
        root = Path(self.arguments["bundle_root"])
        if not (root / "configs").is_dir():
            raise UserError(f"The bundle {root} that made the run in {self.folder} is absent; give its --bundle NAME.")
        return root

    def workflow(
        self, names: Sequence[str], places: Mapping[str, Any], overrides: Mapping[str, Any]
    ) -> CheckedWorkflow:
        """Return the initialised workflow of configs of the bundle.

        Args:
            names: files of the configs, merged in order.
            places: folders that win over those of the training.
            overrides: ids with values, which win over everything.
        """
        files = [str(self.configs / name) for name in [names[0], *self._preset(), *names[1:]]]
        known = {**self.arguments, **self._network()}
        own = {name: known[name] for name in taken_overrides(files, known)}
        return initialised_workflow(files, {"output_dir": str(self.folder), **own, **places, **overrides})

    def _network(self) -> dict[str, Any]:
        """Return the network of the weights, as the description beside them says it."""
        found = description_of(Path(self.arguments["ckpt_dir"]) / "model.pt").get("network")
        return {} if found is None else {"network_def": found}

    def _preset(self) -> list[str]:
        """Return the overlay of the preset that a pre-training followed, if it has one."""
        table = self.folder / "patterns.json"
        name = read_json(table).get("preset", "default") if table.is_file() else "default"
        return [] if name == "default" else [f"preset_{name}.json"]

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

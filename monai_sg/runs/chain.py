"""Run the configs of a bundle one after the other, in this process."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.intensity import checked_range
from ..utils.bundle_folders import bundle_root
from ..utils.errors import UserError
from ..utils.files import absolute
from .overrides import check_overrides, taken_overrides
from .record import RunRecord
from .workflow import CheckedWorkflow

logger = logging.getLogger(__name__)

DEFAULT = "default"
STAGES = ("autoencoder", "discover", "classify", "train")


def places(data: str, output: str) -> dict[str, str]:
    """Return the overrides that make a bundle read from ``data`` and write to ``output`` only."""
    folder = absolute(output)
    return {"dataset_dir": str(absolute(data)), "output_dir": str(folder), "ckpt_dir": str(folder / "models")}


def preset_overlay(configs: Path, name: str) -> tuple[Path, ...]:
    """Return the overlay of a preset in a folder of configs; the default one has none.

    Raises:
        UserError: there is no such preset.
    """
    found = {path.stem.removeprefix("preset_"): path for path in configs.glob("preset_*.json")}
    if name == DEFAULT:
        return ()
    if name not in found:
        raise UserError(f"preset {name!r} is unknown; take one of {', '.join([DEFAULT, *sorted(found)])}.")
    return (found[name],)


def initialised_workflow(
    files: Sequence[str | Path], overrides: Mapping[str, Any], workflow_type: str | None = "train"
) -> CheckedWorkflow:
    """Return the workflow of configs, merged in order, whose ``initialize`` has been run.

    Args:
        files: the configs; the overlay of ``preset``, if it is among the overrides, is laid over the first of them.
        overrides: id to value.
        workflow_type: as MONAI's workflow takes it.
    """
    first = Path(files[0]).resolve()
    values = {"bundle_root": str(first.parents[1]), **overrides}
    preset = preset_overlay(first.parent, values.pop("preset", DEFAULT))
    names = [str(file) for file in (files[0], *preset, *files[1:])]
    workflow = CheckedWorkflow(names, workflow_type=workflow_type, logging_file=False, **values)
    workflow.initialize()
    return workflow


class Chain:
    """The stages of a pre-training bundle with the overrides of one run.

    Args:
        bundle: name of the bundle.
        overrides: id to value; each goes to every config that takes it, see `check_overrides`. ``preset`` names an
            overlay that is laid over every config before the other overrides.
        stages: configs to run, in order.

    Raises:
        ValueError: a stage or the preset is unknown, or no config takes an override.
    """

    def __init__(self, bundle: str, overrides: Mapping[str, Any], stages: Sequence[str] = STAGES) -> None:
        unknown = [stage for stage in stages if stage not in STAGES]
        if unknown:
            raise UserError(f"Stage {unknown[0]!r} is unknown; take some of {', '.join(STAGES)}.")
        self.root = bundle_root(bundle)
        self.stages = tuple(stages)
        self.overrides = dict(overrides)
        if "intensity_range" in self.overrides:
            checked_range(self.overrides["intensity_range"])  # the configs look at it after the cache has been filled
        self.preset = preset_overlay(self.root / "configs", self.overrides.pop("preset", DEFAULT))
        taken = {stage: self._of(stage) for stage in STAGES}
        for name in self.overrides:
            if not any(name in own for own in taken.values()):
                self._refuse(name)
        self._own = {stage: taken[stage] for stage in stages}

    def config(self, stage: str) -> Path:
        """Return the path of a stage's config."""
        return self.root / "configs" / f"{stage}.json"

    def files(self, stage: str) -> list[str]:
        """Return the paths of a stage's config and of the preset's overlay."""
        return [str(path) for path in (self.config(stage), *self.preset)]

    def _of(self, stage: str) -> dict[str, Any]:
        """Return the overrides that a stage takes."""
        return {name: self.overrides[name] for name in taken_overrides(self.files(stage), self.overrides)}

    def _refuse(self, name: str) -> None:
        """Raise ``ValueError`` for an override that no stage takes, with what the last one that is near to it has."""
        top = name.replace("#", "::").split("::")[0]
        near = [stage for stage in self.stages if taken_overrides(self.files(stage), [top])]
        check_overrides(self.files([*self.stages, *near][-1]), [name])

    def commands(self) -> list[str]:
        """Return the command lines that do the same, one per stage."""
        lines = []
        for stage, own in self._own.items():
            flags = [f"--{name} {shlex.quote(str(value))}" for name, value in own.items()]
            files = self.files(stage)
            config = shlex.quote(files[0] if len(files) == 1 else str(files))
            lines.append(" ".join(["python -m monai.bundle run --config_file", config, *flags]))
        return lines

    def workflow(self, stage: str, *overlays: str, **more: Any) -> CheckedWorkflow:
        """Return the initialised workflow of a stage, with overlays that lie beside its config."""
        files = [*self.files(stage), *(str(self.config(overlay)) for overlay in overlays)]
        return initialised_workflow(files, {**self._own[stage], **more}, None if stage == "discover" else "train")

    def run(self, **own: Mapping[str, Any]) -> None:
        """Run the stages that have not finished; an interrupted one continues from its last epoch.

        Args:
            own: stage to further overrides, which go to that stage alone.
        """
        for number, stage in enumerate(self.stages, start=1):
            if len(self.stages) > 1:
                logger.info(f"Stage {number} of {len(self.stages)}: {stage}.")
            workflow = self.workflow(stage, **own.get(stage, {}))
            record: RunRecord = workflow.parser.get_parsed_content("record")
            record.check()
            if record.is_finished and not record.starts_anew and not record.goes_on(workflow.parser.get("epochs", 0)):
                logger.info(f"{stage} has finished in {record.path.parent} before; it is not run again.")
            else:
                workflow.run()
            workflow.finalize()

"""The bundles of the checkout, their sources and their configs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from monai_sg.bundles.sources import Source
from monai_sg.runs.workflow import CheckedWorkflow

TOP = Path(__file__).resolve().parents[2] / "bundles"
FOLDERS = sorted(path.parent.parent for path in TOP.glob("*/configs/metadata.json"))
NAMES = [folder.name for folder in FOLDERS]


def config(bundle: str, name: str) -> Path:
    return TOP / bundle / "configs" / name


def content(path: Path) -> Any:
    return json.loads(path.read_text())


@cache
def source(bundle: str) -> Source:
    return Source(TOP / "_src" / bundle)


def files(bundle: str) -> list[str]:
    """Return the names of all configs of a bundle."""
    return list(source(bundle).layout["files"])


def overlays(bundle: str) -> list[tuple[str, str]]:
    """Return pairs of an overlay and a config it names."""
    return [(name, target) for name, targets in source(bundle).layout["overlays"].items() for target in targets]


def full_configs(bundle: str) -> list[str]:
    """Return the files that run by themselves."""
    return [name for name in files(bundle) if name not in source(bundle).layout["overlays"]]


def parser(bundle: str, names: Sequence[str], overrides: Mapping[str, Any] | None = None) -> ConfigParser:
    """Return the merged configs with those of the overrides whose ids they have."""
    merged = ConfigParser()
    merged.read_config([str(config(bundle, name)) for name in names])
    merged.update({name: value for name, value in (overrides or {}).items() if name in merged})
    return merged


def workflow(
    bundle: str, names: Sequence[str], overrides: Mapping[str, Any], workflow_type: str | None = None
) -> CheckedWorkflow:
    """Return an initialised workflow with those of the overrides whose ids the configs have."""
    own = {name: value for name, value in overrides.items() if name in parser(bundle, names)}
    files = [str(config(bundle, name)) for name in names]
    made = CheckedWorkflow(files, workflow_type=workflow_type, logging_file=False, **own)
    made.initialize()
    return made

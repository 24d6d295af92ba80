"""A config as it will be run, for reading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

from .workflow import CheckedWorkflow

FIRST_BLOCK_ENDS = ("stage", "imports")
PLAIN = (str, int, float, bool, list, dict, type(None))


def config_text(workflows: Mapping[str, CheckedWorkflow]) -> str:
    """Return configs as JSON, with all overlays and overrides; the ids of the first block have their values.

    Args:
        workflows: name to an initialised workflow; a single one is given without its name.
    """
    configs = {name: shown_config(workflow) for name, workflow in workflows.items()}
    content = next(iter(configs.values())) if len(configs) == 1 else configs
    return json.dumps(content, indent=4, default=str)


def shown_config(workflow: CheckedWorkflow) -> dict[str, Any]:
    """Return a config in which the ids that a user may set, which come first, have their values.

    Components, and what needs data or weights to be known, stay as they are written.
    """
    parser = workflow.parser
    content: dict[str, Any] = dict(parser.get())
    content.pop("_meta_", None)
    for name in list(content):
        if name in FIRST_BLOCK_ENDS:
            break
        value = parser.get_parsed_content(name)
        if isinstance(value, torch.device):
            value = str(value)
        if isinstance(value, PLAIN):
            content[name] = value
    return content

"""A config workflow that refuses overrides of ids that do not exist."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from typing import Any

from monai.bundle import ConfigWorkflow

from .overrides import check_overrides, understood

WORKFLOW_FLAGS = {*inspect.signature(ConfigWorkflow.__init__).parameters, "args_file", "workflow_name"}


class CheckedWorkflow(ConfigWorkflow):
    """MONAI's workflow of a bundle config, which stops at an override whose id does not exist.

    Use it with ``python -m monai.bundle run --workflow_name monai_sg.runs.workflow.CheckedWorkflow``. The commands
    of this package use it always.

    Args:
        config_file: one or several config files.
        kwargs: arguments of ``monai.bundle.ConfigWorkflow`` and overrides.

    Raises:
        UserError: an override names no id.
    """

    def __init__(self, config_file: str | Sequence[str], **kwargs: Any) -> None:
        overrides = {name: value for name, value in kwargs.items() if name not in WORKFLOW_FLAGS}
        check_overrides(config_file, overrides)
        logging.getLogger(ConfigWorkflow.__module__).setLevel(logging.ERROR)  # it warns of what was asked for
        super().__init__(config_file=config_file, **{**kwargs, **understood(overrides)})

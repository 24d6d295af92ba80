"""What was typed after ``python -m monai.bundle run``, looked at before anything is run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ..utils.errors import UserError
from ..utils.log import quiet_others
from .overrides import check_overrides, check_switches, read_configs
from .reason import end_with_reason
from .workflow import WORKFLOW_FLAGS


def command_line_overrides(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Split the arguments of ``python -m monai.bundle run`` into config files and overrides.

    Returns:
        config files, and id to text; both empty if the process was started in another way.
    """
    program = Path(arguments[0]).parts[-3:] if arguments else ()
    if program != ("monai", "bundle", "__main__.py") or len(arguments) < 2 or arguments[1] != "run":
        return [], {}
    flags: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        if argument.startswith("--"):
            name, _, value = argument[2:].partition("=")
            following = arguments[position + 1] if position + 1 < len(arguments) else ""
            flags[name.replace("-", "_")] = value or following
    files = [file.strip(" '\"") for file in flags.get("config_file", "").strip("[]()").split(",") if file.strip()]
    return files, {name: value for name, value in flags.items() if name not in WORKFLOW_FLAGS}


def check_command_line() -> None:
    """Check the overrides of a plain ``python -m monai.bundle run``, and let its errors end in their reason.

    Anything else is left alone.
    """
    files, overrides = command_line_overrides(sys.argv)
    if files:
        quiet_others()
        end_with_reason()
        _check_run_id(files, sys.argv)
        check_overrides(files, overrides)
        check_switches(files, overrides)


def _check_run_id(files: Sequence[str], arguments: Sequence[str]) -> None:
    """Refuse ``run train``, which would build the part ``train`` of a config and run nothing."""
    name = arguments[2] if len(arguments) > 2 else ""
    if not name.startswith("--") and isinstance(read_configs(files).get(name), dict):
        raise UserError(
            f"`monai.bundle run {name}` would run nothing, because {name} is a part of the config and no step; "
            f"leave the word {name} out. Nothing was run."
        )

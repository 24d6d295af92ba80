"""A config workflow that refuses overrides of ids that do not exist."""

from __future__ import annotations

import difflib
import inspect
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from pydoc import locate
from typing import Any

from monai.bundle import ComponentLocator, ConfigComponent, ConfigParser, ConfigWorkflow

from .reason import end_with_reason

_WORKFLOW_FLAGS = {*inspect.signature(ConfigWorkflow.__init__).parameters, "args_file", "workflow_name"}


def check_overrides(config_file: str | Sequence[str], names: Iterable[str]) -> None:
    """Compare override ids with the ids of config files.

    A new argument of a component is let through where its class or function takes it.

    Args:
        config_file: one or several files, merged in order.
        names: ids as given on a command line, with ``::`` or ``#``.

    Raises:
        ValueError: an id does not exist; the sentence names the nearest one.
    """
    parser = _read(config_file)
    for name in names:
        hint = _hint(parser, name)
        if hint is not None:
            files = ", ".join(_listed(config_file))
            raise ValueError(f"The override --{name} names no id of {files}; did you mean {hint}? Nothing was run.")


def taken_overrides(config_file: str | Sequence[str], names: Iterable[str]) -> list[str]:
    """Return those of the ids that `check_overrides` lets through."""
    parser = _read(config_file)
    return [name for name in names if _hint(parser, name) is None]


def _hint(parser: ConfigParser, name: str) -> str | None:
    """Return what an id that does not exist may have meant; ``None`` for one that exists or is a new argument."""
    path = name.replace("#", "::").split("::")
    for depth, key in enumerate(path):
        parent = parser["::".join(path[:depth])] if depth else parser.get()
        if _has(parent, key):
            continue
        known = [key for key in parent if not key.startswith("_")] if isinstance(parent, dict) else []
        if isinstance(parent, dict) and "_target_" in parent:
            arguments = _arguments(parent["_target_"])
            is_last = depth == len(path) - 1
            if is_last and (arguments is None or key in {*arguments, *ConfigComponent.non_arg_keys}):
                return None
            known = list(dict.fromkeys([*known, *(arguments or [])]))
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        return "::".join([*path[:depth], nearest[0]]) if nearest else ", ".join(known) or "::".join(path[:depth])
    return None


def _arguments(target: Any) -> list[str] | None:
    """Return the names of a component's arguments; ``None`` if it takes any, or if they cannot be told here."""
    if isinstance(target, str):
        modules = ComponentLocator().get_component_module_name(target)
        module = modules[0] if isinstance(modules, list) else modules
        target = locate(f"{module}.{target}" if module else target)
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return None
    return None if any(p.kind is p.VAR_KEYWORD for p in parameters) else [p.name for p in parameters]


def check_switches(config_file: str | Sequence[str], overrides: Mapping[str, Any]) -> None:
    """Refuse ``true`` and ``false`` for an id that is True or False: a command line gives them as texts.

    Args:
        config_file: as in `check_overrides`.
        overrides: id to value.

    Raises:
        ValueError: such a text; the sentence says what to write.
    """
    texts = {name: value for name, value in overrides.items() if value in ("true", "false")}
    if not texts:
        return
    parser = _read(config_file)
    for name, value in texts.items():
        if isinstance(parser.get(name.replace("#", "::")), bool):
            raise ValueError(f"--{name} {value} would be read as a text; write {value.capitalize()}. Nothing was run.")


def _listed(config_file: str | Path | Sequence[str]) -> list[str]:
    return [str(config_file)] if isinstance(config_file, str | Path) else list(config_file)


def _read(config_file: str | Path | Sequence[str]) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(_listed(config_file))
    return parser


def _has(parent: Any, key: str) -> bool:
    if isinstance(parent, list):
        return key.isdigit() and int(key) < len(parent)
    return isinstance(parent, dict) and key in parent


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
    return files, {name: value for name, value in flags.items() if name not in _WORKFLOW_FLAGS}


def check_command_line() -> None:
    """Check the overrides of a plain ``python -m monai.bundle run``, and let its errors end in their reason.

    Anything else is left alone.
    """
    files, overrides = command_line_overrides(sys.argv)
    if files:
        end_with_reason()
        check_overrides(files, overrides)
        check_switches(files, overrides)


class CheckedWorkflow(ConfigWorkflow):
    """MONAI's workflow of a bundle config, which stops at an override whose id does not exist.

    Use it with ``python -m monai.bundle run --workflow_name monai_sg.runs.workflow.CheckedWorkflow``. The commands
    of this package use it always.

    Args:
        config_file: one or several config files.
        kwargs: arguments of ``monai.bundle.ConfigWorkflow`` and overrides.

    Raises:
        ValueError: an override names no id.
    """

    def __init__(self, config_file: str | Sequence[str], **kwargs: Any) -> None:
        overrides = {name: value for name, value in kwargs.items() if name not in _WORKFLOW_FLAGS}
        check_overrides(config_file, overrides)
        check_switches(config_file, overrides)
        logging.getLogger(ConfigWorkflow.__module__).setLevel(logging.ERROR)  # it warns of what was asked for
        super().__init__(config_file=config_file, **kwargs)

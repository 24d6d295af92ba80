"""Overrides of configs: do their ids exist, and are their values what was meant?"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from pydoc import locate
from typing import Any

from monai.bundle import ComponentLocator, ConfigComponent, ConfigParser

from ..utils.errors import UserError

SWITCHES = {"true": True, "false": False}
GPU = "gpu"


def check_overrides(config_file: str | Sequence[str], names: Iterable[str]) -> None:
    """Compare override ids with the ids of config files.

    A new argument of a component is let through where its class or function takes it.

    Args:
        config_file: one or several files, merged in order.
        names: ids as given on a command line, with ``::`` or ``#``.

    Raises:
        UserError: an id does not exist; the sentence names the nearest one.
    """
    parser = read_configs(config_file)
    for name in names:
        hint = _hint(parser, name)
        if hint is not None:
            files = ", ".join(_listed(config_file))
            raise UserError(f"The override --{name} names no id of {files}; did you mean {hint}? Nothing was run.")


def taken_overrides(config_file: str | Sequence[str], names: Iterable[str]) -> list[str]:
    """Return those of the ids that `check_overrides` lets through."""
    parser = read_configs(config_file)
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


def understood(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return overrides with ``true`` and ``false`` as switches, ``~`` expanded, and ``gpu`` as PyTorch calls it."""
    found = {name: _meant(value) for name, value in overrides.items()}
    device = found.get("device")
    if isinstance(device, str) and device.partition(":")[0] == GPU:
        found["device"] = f"cuda{device.removeprefix(GPU)}"
    return found


def _meant(value: Any) -> Any:
    if isinstance(value, list):
        return [_meant(each) for each in value]
    if not isinstance(value, str):
        return value
    if value == "~" or value.startswith("~/"):
        return str(Path(value).expanduser())
    return SWITCHES.get(value, value)


def check_switches(config_file: str | Sequence[str], overrides: Mapping[str, Any]) -> None:
    """Refuse ``true`` and ``false`` for an id that is no text, and ``~``: MONAI's command line gives them as they are.

    Args:
        config_file: as in `check_overrides`.
        overrides: id to value.

    Raises:
        UserError: such a text; the sentence says what to write.
    """
    for name, value in overrides.items():
        if str(value).startswith("~"):
            whole = str(Path(value).expanduser())
            raise UserError(f"--{name} {value} was not expanded; write {whole!r}. Nothing was run.")
    texts = {name: value for name, value in overrides.items() if value in SWITCHES}
    if not texts:
        return
    parser = read_configs(config_file)
    for name, value in texts.items():
        default = parser.get(name.replace("#", "::"))
        if not isinstance(default, str) or default.startswith(("$", "@")):
            raise UserError(f"--{name} {value} would be read as a text; write {value.capitalize()}. Nothing was run.")


def _listed(config_file: str | Path | Sequence[str]) -> list[str]:
    return [str(config_file)] if isinstance(config_file, str | Path) else list(config_file)


def read_configs(config_file: str | Path | Sequence[str]) -> ConfigParser:
    """Return a parser of one or several config files, merged in order."""
    parser = ConfigParser()
    parser.read_config(_listed(config_file))
    return parser


def _has(parent: Any, key: str) -> bool:
    if isinstance(parent, list):
        return key.isdigit() and int(key) < len(parent)
    return isinstance(parent, dict) and key in parent

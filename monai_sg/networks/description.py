"""Networks as plain data, ``{"_target_": class, argument: value, ...}``, and back."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import nn

from ..utils.errors import UserError

_PACKAGE = __name__.removesuffix(".networks.description")
_OURS = re.compile(r"(?:scripts\.)?monai_sg(\.networks(?:\.[A-Za-z]\w*)+)")
_MONAIS = re.compile(r"monai\.networks(?:\.[A-Za-z]\w*)+")


def target_of(module: nn.Module) -> str:
    """Return how configs name the class of a network, in a packed bundle as in this package."""
    return f"{type(module).__module__}.{type(module).__qualname__}".removeprefix("scripts.")


def arguments_of(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a described network, those of its encoder among them, without the classes."""
    found: dict[str, Any] = {}
    for name, value in described.items():
        if isinstance(value, Mapping):
            found |= arguments_of(value)
        elif name != "_target_":
            found[name] = value
    return found


def built(described: Any) -> nn.Module:
    """Build a described network, with its initial weights.

    Only classes of networks in this package or MONAI are made, and nothing in a description is evaluated, so that it
    may come from anywhere.

    Args:
        described: ``_target_`` and arguments: numbers, texts, lists, and further networks described in the same way.

    Raises:
        UserError: it describes something else, or arguments that the class does not take.
    """
    target = described.get("_target_") if isinstance(described, Mapping) else None
    if target is None:
        raise UserError(f'{described!r} describes no network; write {{"_target_": class, argument: value, ...}}.')
    made = _class_of(target)
    given = {name: value for name, value in described.items() if name != "_target_"}
    try:
        inspect.signature(made).bind(**given)
    except TypeError as error:
        raise UserError(f"The network {target} cannot be built from {given}: {error}.") from error
    return made(**{name: built(value) if isinstance(value, Mapping) else value for name, value in given.items()})


def _class_of(target: Any) -> type[nn.Module]:
    """Return a class by its name, wherever this package lies."""
    ours = _OURS.fullmatch(str(target))
    if ours is None and not _MONAIS.fullmatch(str(target)):
        raise UserError(f"The network {target!r} is no class below monai_sg.networks or monai.networks.")
    module, _, name = (_PACKAGE + ours[1] if ours else str(target)).rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"There is no network {target!r} in this version of the package.") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UserError(f"The network {target!r} is no class of a network.")
    return found

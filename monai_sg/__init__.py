"""Self-supervised pre-training of medical image networks as MONAI bundles.

The commands are functions too, such as ``monai_sg.pretrain(data=..., output=...)``; one is imported when it is named.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

COMMANDS = ("scan", "pretrain", "finetune", "evaluate", "predict", "compare", "embed", "probe", "agreement")


def __getattr__(name: str) -> Any:
    """Return the function of a command."""
    if name in COMMANDS:
        return getattr(import_module(f".commands.{name}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what there is, with the commands."""
    return sorted([*globals(), *COMMANDS])

"""Files of weights, read without running anything that is in them."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from errno import EINVAL
from pathlib import Path
from typing import Any

import numpy as np
import torch

# Training checkpoints keep losses as NumPy numbers, whose module older files call by its former name.
_scalar: Any = np.float64(0).__reduce__()[0]
NUMPY_NUMBERS: list[Any] = [_scalar, (_scalar, "numpy.core.multiarray.scalar"), np.dtype, np.dtypes.Float64DType]


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a state dict without unpickling anything but tensors, numbers and texts.

    Args:
        path: file with a flat mapping of names to tensors, such as a bundle's ``models/model.pt``, or a training
            checkpoint that holds one under ``state_dict``.

    Returns:
        the tensors on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, holds Python objects, or holds no tensors.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"The weights {path} do not exist; check the path or leave it out.")
    try:
        with torch.serialization.safe_globals(NUMPY_NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ValueError(f"{path} is not a file of plain weights: {_why_not(error)}; nothing was loaded.") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise ValueError(f"{path} holds {_kinds(content)}, not a flat mapping of names to tensors.")
    if not content:
        raise ValueError(f"{path} holds no tensors; it may be the file of an interrupted export.")
    return dict(content)


def _why_not(error: Exception) -> str:
    """Return why `torch.load` refuses a file, without its advice to load it all the same."""
    if isinstance(error, pickle.UnpicklingError):
        found = re.search(r"GLOBAL (\S+)", str(error))
        return f"it holds Python objects ({found[1]})" if found else "torch.save did not write it"
    if isinstance(error, EOFError) or (isinstance(error, OSError) and error.errno == EINVAL):
        return "it is empty or cut short"
    return str(error).strip().split(". ")[0]


def _kinds(content: object) -> str:
    """Return what a file holds instead of tensors, and how to get at the weights in it."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    kinds = ", ".join(f"{name} ({type(value).__name__})" for name, value in list(content.items())[:5])
    inner = next((name for name, value in content.items() if isinstance(value, Mapping) and value), None)
    remedy = f" (if {inner!r} are the weights, save them alone: torch.save(content[{inner!r}], 'model.pt'))"
    return kinds + (remedy if inner is not None else "")

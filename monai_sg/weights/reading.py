"""Files of weights, read without running anything that is in them."""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Mapping
from errno import EINVAL
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..utils.errors import AbsentError, UserError

logger = logging.getLogger(__name__)

# Training checkpoints keep losses as NumPy numbers, whose module older files call by its former name.
_scalar: Any = np.float64(0).__reduce__()[0]
NUMPY_NUMBERS: list[Any] = [_scalar, (_scalar, "numpy.core.multiarray.scalar"), np.dtype, np.dtypes.Float64DType]
HEAD, ZIP = 64, b"PK\x03\x04"
CONTENTS = (
    (b"<", "it is a web page or XML (was a download refused?)"),
    (b"version https://git-lfs", "it is a pointer of Git LFS; fetch it with 'git lfs pull'"),
)


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a state dict without unpickling anything but tensors, numbers and texts.

    Args:
        path: file with a flat mapping of names to tensors, such as a bundle's ``models/model.pt``, or a training
            checkpoint that holds one under ``state_dict``.

    Returns:
        the tensors on the CPU.

    Raises:
        AbsentError: there is no such file.
        UserError: the file is damaged, holds Python objects, or holds no tensors.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise AbsentError(f"The weights {path} do not exist; check the path or leave it out.")
    try:
        with torch.serialization.safe_globals(NUMPY_NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file ends in many kinds of them
        reason = _why_not(error, path)
        raise UserError(f"{path} is not a file of plain weights: {reason}; nothing was loaded.") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise UserError(f"{path} holds {_kinds(content)}, not a flat mapping of names to tensors.")
    if not content:
        raise UserError(f"{path} holds no tensors; it may be the file of an interrupted export.")
    return dict(content)


def check_values(weights: Mapping[str, torch.Tensor], source: str) -> None:
    """Refuse values that are not finite, and warn of tensors that hold nothing but zeros.

    Zeros are asked about in weights of convolutions and linear layers only; a bias or a mean may be zero.

    Args:
        weights: name to tensor.
        source: the file.

    Raises:
        UserError: a value is not finite; the sentence names tensor and file.
    """
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise UserError(
                f"{name} in {source} holds values that are not finite (NaN or infinity), so the training that wrote it "
                "went wrong; take the weights of an earlier epoch or train again."
            )
    asked = [name for name, value in weights.items() if value.dim() > 1]
    zero = [name for name in asked if not weights[name].any()]
    if zero and zero == asked:
        logger.warning(f"All weights in {source} are zero; a network with them gives the same answer to every image.")
    elif zero:
        logger.warning(f"{len(zero)} of {len(asked)} weights in {source} are all zero: {', '.join(zero[:5])}.")


def _why_not(error: Exception, path: Path) -> str:
    """Return why `torch.load` refuses a file, without its advice to load it all the same."""
    with open(path, "rb") as file:
        head = file.read(HEAD)
    for beginning, what in CONTENTS:
        if head.lstrip().lower().startswith(beginning):
            return what
    if head.startswith(ZIP) and "central directory" in str(error):
        return "it is incomplete, its end is missing; copy or download it again"
    if isinstance(error, pickle.UnpicklingError):
        found = re.search(r"GLOBAL (\S+)", str(error))
        return f"it holds Python objects ({found[1]})" if found else "torch.save did not write it"
    if isinstance(error, EOFError) or (isinstance(error, OSError) and error.errno == EINVAL):
        return "it is empty or cut short"
    return str(error).strip().split(". ")[0].splitlines()[0].rstrip(" :")


def _kinds(content: object) -> str:
    """Return what a file holds instead of tensors, and how to get at the weights in it."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    kinds = ", ".join(f"{name} ({type(value).__name__})" for name, value in list(content.items())[:5])
    inner = next((name for name, value in content.items() if isinstance(value, Mapping) and value), None)
    remedy = f" (if {inner!r} are the weights, save them alone: torch.save(content[{inner!r}], 'model.pt'))"
    return kinds + (remedy if inner is not None else "")

"""No corruption: what turns image restoration into an auto-encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .corruption import Corruption, Params


class Identity(Corruption):
    """Leave the batch as it is.

    Example:
        >>> x = torch.rand(2, 1, 8, 8)
        >>> torch.equal(Identity()(x, torch.Generator()), x)
        True
    """

    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw nothing."""
        return {}

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Give the batch itself back, not a copy."""
        return x

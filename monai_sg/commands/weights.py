"""Look into weight files."""

from __future__ import annotations


def inspect(file: str) -> str:
    """Say what a weight file holds and what it would fill.

    Args:
        file: plain state dict, such as models/model.pt or train/method.pt of a run.

    Returns:
        a line per fact.
    """
    from ..weights.inspect import inspect_weights

    return "\n".join(inspect_weights(file))

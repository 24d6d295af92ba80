"""Summed-volume tables: the sum over any box from its corners."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray


def summed_volume(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the summed-volume table of an array, with a leading zero plane per axis."""
    table = np.pad(values.astype(np.float64), [(1, 0)] * values.ndim)
    for axis in range(table.ndim):
        np.cumsum(table, axis=axis, out=table)
    return table


def box_sums(table: NDArray[np.float64], low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums over the half-open boxes ``low`` to ``high`` (M, d) from the 2**d corners of each."""
    total = np.zeros(len(low))
    for upper in product((False, True), repeat=table.ndim):
        sign = (-1) ** (table.ndim - sum(upper))
        total += sign * table[tuple(np.where(upper, high, low).T)]
    return total

"""Exact nearest neighbours in feature space."""

from __future__ import annotations

import torch
from torch import Tensor

from ..utils.errors import UserError

_BLOCK_ELEMENTS = 1 << 22
_ROUNDING = 1e-12


def nearest(queries: Tensor, database: Tensor, k: int, chunk: int = 4096) -> tuple[Tensor, Tensor]:
    """Find the ``k`` rows of the database with the smallest Euclidean distance to each query.

    The database is compared chunk by chunk with matrix products in double precision; what may be among the ``k``
    nearest is compared again by differences, so that the answer is exact, equal rows have distance 0, and rows at the
    same distance come in the order of their index. Beside the two tensors a few hundred MB are used, however many rows.

    Args:
        queries: (Q, D).
        database: (N, D), on the same device.
        k: number of neighbours, from 1 to N.
        chunk: rows of the database compared at once.

    Returns:
        distances (Q, k), float32, ascending, and row numbers (Q, k), int64.

    Raises:
        ValueError: if ``k`` is not in 1..N, the widths differ, or a feature is not finite.
    """
    if queries.ndim != 2 or database.ndim != 2 or queries.shape[1] != database.shape[1]:
        raise UserError(f"Queries {tuple(queries.shape)} and database {tuple(database.shape)} must be (Q, D), (N, D).")
    if not 1 <= k <= len(database):
        raise UserError(f"k = {k} neighbours were asked of a database of {len(database)} rows; use 1..{len(database)}.")
    if len(queries) == 0:
        return queries.new_zeros((0, k), dtype=torch.float32), queries.new_zeros((0, k), dtype=torch.int64)
    rows = max(1, _BLOCK_ELEMENTS // chunk)
    found = [_nearest_block(block.double(), database, k, chunk) for block in queries.split(rows)]
    return torch.cat([squared for squared, _ in found]).sqrt().float(), torch.cat([index for _, index in found])


def _nearest_block(queries: Tensor, database: Tensor, k: int, chunk: int) -> tuple[Tensor, Tensor]:
    """Return exact squared distances and indices (Q, k) of a few queries; chunks come in ascending index."""
    best = queries.new_zeros((len(queries), 0))
    index = torch.zeros((len(queries), 0), dtype=torch.int64, device=queries.device)
    for start in range(0, len(database), chunk):
        worst = best[:, -1:] if best.shape[1] == k else torch.full_like(queries[:, :1], torch.inf)
        squared, local = _candidates(queries, database[start : start + chunk].double(), k, worst)
        best, index = torch.cat([best, squared], dim=1), torch.cat([index, local + start], dim=1)
        best, order = best.sort(dim=1, stable=True)
        best, index = best[:, :k], index.gather(1, order[:, :k])
    return best, index


def _candidates(queries: Tensor, part: Tensor, k: int, worst: Tensor) -> tuple[Tensor, Tensor]:
    """Return exact squared distances and rows, by index, of what in one chunk may be among the ``k`` nearest.

    ``worst`` (Q, 1) is the largest squared distance among the ``k`` nearest of the chunks before.
    """
    query_norm, norm = queries.square().sum(1, keepdim=True), part.square().sum(1)
    if not bool(torch.isfinite(query_norm).all() and torch.isfinite(norm).all()):
        raise UserError("Features hold values that are not finite; embed the images again with a trained network.")
    squared = torch.addmm(query_norm + norm, queries, part.T, alpha=-2)
    rounding = _ROUNDING * (query_norm + norm.max())
    width = int((squared <= worst + rounding).sum(1).max())
    if width > k:
        worst = torch.minimum(worst, squared.kthvalue(k, dim=1, keepdim=True).values)
        width = int((squared <= worst + rounding).sum(1).max())
    candidates = squared.topk(width, dim=1, largest=False).indices.sort(dim=1).values
    blocks = candidates.split(max(1, _BLOCK_ELEMENTS // max(1, width * queries.shape[1])))
    pairs = zip(queries.split(len(blocks[0])), blocks, strict=True)
    return torch.cat([(part[rows] - block[:, None]).square().sum(-1) for block, rows in pairs]), candidates

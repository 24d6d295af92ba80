"""How many patients share a pattern, and which patients the patterns are taken from."""

from __future__ import annotations

import logging
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..utils.errors import UserError

logger = logging.getLogger(__name__)

_FEWEST = 3
_COMPARED = 2048


def check_cohort(images: int) -> None:
    """Raise ``ValueError`` if there is no training image; warn if there are too few for similar patients to exist."""
    if images == 0:
        raise UserError(
            "No training image can be used, so there is nothing to discover; add images to the data list, or look in "
            "the log for the reason why images were left out."
        )
    if images < _FEWEST:
        logger.warning(
            "Only %d training images can be used. With fewer than %d no patient has similar ones: the pseudo labels "
            "are places in the body and nothing more.",
            *(images, _FEWEST),
        )


def neighbour_count(images: int, asked: int, share: float = 0.45) -> int:
    """Return K, the training images per class: ``min(asked, share * N)``, at least 3 or all there are.

    Semantic Genesis takes 200 of 445 scans; 45 % of the cohort keeps that share where there are fewer.

    Args:
        images: training images, N.
        asked: K as configured.
        share: largest share of the cohort.
    """
    count = min(asked, max(_FEWEST, math.floor(share * images)), images)
    percent = 100 * count / images
    if asked > images:
        logger.warning(
            "%d neighbours asked, but there are %d training images: %d are used (%.0f %%).",
            *(asked, images, count, percent),
        )
    elif count < asked:
        logger.info(
            "%d neighbours asked, %d used: of %d training images the nearer %.0f %% count as alike, and at least %d.",
            *(asked, count, images, 100 * share, _FEWEST),
        )
    else:
        logger.info("Each class has %d neighbours, %.0f %% of %d training images.", count, percent, images)
    return count


def reference_count(images: int, neighbours: int, num_classes: int, per_reference: int | None = None) -> int:
    """Return R, the number of reference images.

    By default as many as could cover the cohort, ``ceil(N / K)``, at most one per class; with ``per_reference`` as many
    as ``num_classes`` coordinates need.
    """
    wanted = math.ceil(num_classes / per_reference) if per_reference else math.ceil(images / neighbours)
    return max(1, min(wanted, num_classes, images))


def central_references(features: Tensor, eligible: NDArray[np.bool_]) -> list[int]:
    """Return all row numbers, those with the smallest mean distance to the others first.

    The first is the medoid. An image of something else than the cohort is far from most others and comes late. In large
    cohorts some 2,000 images, evenly spaced, stand for all others.

    Args:
        features: (N, D).
        eligible: images whose volume holds a crop (N); the others come after these.
    """
    others = features[:: math.ceil(len(features) / _COMPARED)].double()
    distance = torch.cat([torch.cdist(part.double(), others).mean(1) for part in features.split(_COMPARED)])
    order = np.lexsort((distance.numpy(), ~eligible))
    return [int(row) for row in order]


def draw_references(
    features: Tensor, count: int, neighbours: int, generator: torch.Generator, eligible: NDArray[np.bool_]
) -> list[int]:
    """Draw reference images that lie apart, without replacement.

    The first is drawn uniformly. Each further one is drawn, with a probability proportional to the squared distance
    to the nearest reference so far (as k-means++ seeds its centres), from the images that are not yet among the
    neighbours of a reference. Unlike the farthest point, this rarely picks an outlier.

    Args:
        features: (N, D).
        count: number of references, 1..N.
        neighbours: neighbours per reference, K.
        generator: draws.
        eligible: images whose volume holds a crop (N); the others are used only if these run out.

    Returns:
        ``count`` different row numbers.
    """
    free = torch.ones(len(features), dtype=torch.bool)
    uncovered = torch.ones(len(features), dtype=torch.bool)
    preferred = torch.from_numpy(eligible)
    squared = torch.ones(len(features), dtype=torch.float64)
    chosen: list[int] = []
    while len(chosen) < count:
        pools = (free & uncovered & preferred, free & preferred, free)
        pool = next(pool for pool in pools if pool.any())
        row = _draw_weighted(torch.where(pool, squared, 0.0), pool, generator)
        distance = torch.cdist(features, features[row][None])[:, 0].double()
        squared = torch.minimum(squared, distance.square()) if chosen else distance.square()
        uncovered[distance.topk(neighbours, largest=False).indices] = False
        free[row] = False
        chosen.append(row)
    return chosen


def random_references(images: int, generator: torch.Generator) -> list[int]:
    """Return all row numbers in random order, as the released code draws references."""
    order: list[int] = torch.randperm(images, generator=generator).tolist()
    return order


def _draw_weighted(weights: Tensor, pool: Tensor, generator: torch.Generator) -> int:
    """Draw an index with probability proportional to ``weights``; uniformly from ``pool`` if all weights are 0."""
    total = (weights if bool(weights.any()) else pool.double()).cumsum(0)
    point = torch.rand((), generator=generator, dtype=torch.float64) * total[-1]
    return min(int(torch.searchsorted(total, point, right=True)), len(total) - 1)

"""The corruptions as published: one crop and one block after the other, in numpy and scipy, written for comparison."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

Array = np.ndarray


def shuffle(x: Array, rng: np.random.Generator, blocks: int = 10_000) -> Array:
    """Permute one block after the other; only their edges and places are drawn together."""
    out, sizes = x.copy(), np.array(x.shape)
    edges = rng.integers(1, np.maximum(1, sizes // 10), (blocks, x.ndim), endpoint=True)
    starts = rng.integers(0, sizes - edges, endpoint=True)
    for start, stop in zip(starts.tolist(), (starts + edges).tolist(), strict=True):
        box = tuple(map(slice, start, stop))
        out[box] = rng.permuted(x[box])
    return out


def intensity(x: Array, rng: np.random.Generator) -> Array:
    """Map by a curve of 100,000 points, of which both coordinates rise."""
    (a, b), (c, d) = rng.random((2, 2))
    t = np.linspace(0, 1, 100_000)
    first, second, last = 3 * (1 - t) * (1 - t) * t, 3 * (1 - t) * t * t, t * t * t
    xs, ys = a * first + c * second + last, b * first + d * second + last
    return np.interp(x, xs, ys[::-1] if rng.random() < 0.5 else ys)


def paint(x: Array, rng: np.random.Generator, outside: bool, boxes: int = 5, more_prob: float = 0.95) -> Array:
    """Paint box after box."""
    out = rng.random(x.shape) if outside else x.copy()
    for box in range(boxes):
        if (box > 0 or not outside) and rng.random() >= more_prob:
            break
        cut = [rng.integers(3 * size // 7, 4 * size // 7 + 1) for size in x.shape]
        edges = [rng.integers(size // 6, size // 3 + 1) for size in x.shape]
        edges = [size - less for size, less in zip(x.shape, cut, strict=True)] if outside else edges
        starts = [rng.integers(3, size - edge - 2) for size, edge in zip(x.shape, edges, strict=True)]
        window = tuple(slice(start, start + edge) for start, edge in zip(starts, edges, strict=True))
        out[window] = x[window] if outside else rng.random(edges)
    return out


def warp(x: Array, rng: np.random.Generator, sigma: float = 8.0, alpha: float = 991.0) -> Array:
    """Displace along the first two axes by smoothed noise."""
    moves = [gaussian_filter(rng.uniform(-1, 1, x.shape), sigma, mode="constant") * alpha for _ in range(2)]
    places = np.indices(x.shape, dtype=float)
    places[:2] += moves
    return map_coordinates(x, places, order=1, mode="reflect")


def genesis(x: Array, rng: np.random.Generator) -> Array:
    """Compose shuffling, intensity map and painting as Models Genesis does, without flips."""
    x = shuffle(x, rng) if rng.random() < 0.5 else x
    x = intensity(x, rng) if rng.random() < 0.9 else x
    return paint(x, rng, outside=rng.random() < 0.8) if rng.random() < 0.9 else x


def one_of_four(x: Array, rng: np.random.Generator) -> Array:
    """Warp, then do one of four, as the released code of Semantic Genesis does."""
    x, chosen = warp(x, rng), rng.integers(4)
    if chosen == 0:
        return shuffle(x, rng, blocks=5)
    return intensity(x, rng) if chosen == 1 else paint(x, rng, outside=bool(chosen == 3), boxes=1, more_prob=1.0)

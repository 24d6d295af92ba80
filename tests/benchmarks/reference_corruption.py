"""The corruptions as published: one crop and one block after the other, in numpy and scipy, written for comparison."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

Array = np.ndarray


def shuffle(x: Array, rng: np.random.Generator, blocks: int = 10_000) -> Array:
    """Permute one block after the other."""
    out = x.copy()
    for _ in range(blocks):
        edges = [int(rng.integers(1, max(1, size // 10) + 1)) for size in x.shape]
        starts = [int(rng.integers(0, size - edge + 1)) for size, edge in zip(x.shape, edges, strict=True)]
        box = tuple(slice(start, start + edge) for start, edge in zip(starts, edges, strict=True))
        out[box] = rng.permutation(x[box].ravel()).reshape(edges)
    return out


def intensity(x: Array, rng: np.random.Generator) -> Array:
    """Map by a curve of 100,000 points."""
    (a, b), (c, d) = rng.random((2, 2))
    t = np.linspace(0, 1, 100_000)
    xs = 3 * (1 - t) ** 2 * t * a + 3 * (1 - t) * t**2 * c + t**3
    ys = 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * d + t**3
    return np.interp(x, np.sort(xs), np.sort(ys)[::-1] if rng.random() < 0.5 else np.sort(ys))


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
    places = np.meshgrid(*(np.arange(size) for size in x.shape), indexing="ij")
    return map_coordinates(x, [places[0] + moves[0], places[1] + moves[1], *places[2:]], order=1, mode="reflect")


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

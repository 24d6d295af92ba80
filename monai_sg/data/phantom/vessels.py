"""Branching trees that fill an organ, for the vessels of the lung and of the liver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .shapes import Canvas


@dataclass(frozen=True)
class Tree:
    """Nodes (n, 3) in mm, the index of each node's parent (the root is its own), and radii (n,) in mm."""

    nodes: NDArray[np.floating]
    parents: NDArray[np.integer]
    radii: NDArray[np.floating]


def grow_tree(root: NDArray[np.floating], targets: NDArray[np.floating], twig: float, direct: float = 0.6) -> Tree:
    """Join ``targets`` (n, 3) to ``root``: each to the node that gives a short twig and a short way to the root.

    Args:
        root: where the tree enters the organ, in mm.
        targets: points the tree shall reach, in mm.
        twig: radius of a last branch in mm; a branch that feeds k of them has radius ``twig * k ** 0.4``.
        direct: weight of the way along the tree against the length of the new twig.
    """
    order = np.argsort(np.linalg.norm(targets - root, axis=1), kind="stable")
    nodes = np.concatenate([root[None], targets[order]])
    parents = np.zeros(len(nodes), dtype=int)
    way = np.zeros(len(nodes))
    for index in range(1, len(nodes)):
        twigs = np.linalg.norm(nodes[:index] - nodes[index], axis=1)
        parents[index] = int(np.argmin(twigs + direct * way[:index]))
        way[index] = way[parents[index]] + twigs[parents[index]]
    fed = np.zeros(len(nodes))
    fed[np.setdiff1d(np.arange(len(nodes)), parents)] = 1
    for index in range(len(nodes) - 1, 0, -1):
        fed[parents[index]] += fed[index]
    return Tree(nodes, parents, twig * np.maximum(fed, 1) ** 0.4)


def paint_tree(canvas: Canvas, tree: Tree, hu: float, widest: float) -> None:
    """Paint the branches of a tree, none wider than ``widest`` (radius in mm); the organ map stays as it is."""
    radii = np.minimum(tree.radii, widest)
    for index in range(1, len(tree.nodes)):
        parent = int(tree.parents[index])
        start = radii[parent] if parent else radii[index]
        canvas.tube(tree.nodes[[parent, index]], [min(start, 1.4 * radii[index]), radii[index]], hu)


def points_in(canvas: Canvas, inside: NDArray[np.bool_], count: int, rng: np.random.Generator) -> NDArray[np.floating]:
    """Draw ``count`` reference points (count, 3) among the voxels of a mask; fewer where the mask is smaller."""
    places = np.flatnonzero(inside)
    chosen = places[np.sort(rng.choice(len(places), min(count, len(places)), replace=False))]
    return canvas.points.reshape(3, -1)[:, chosen].T.astype(float)

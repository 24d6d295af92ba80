from __future__ import annotations

import numpy as np

from monai_sg.data.phantom.vessels import grow_tree


def test_tree_joins_each_point_to_the_nearest_branch() -> None:
    tree = grow_tree(np.zeros(3), np.array([[20.0, 0, 0], [10, 0, 0], [20, 3, 0], [0, 10, 0]]), twig=1.0)
    assert tree.nodes[1:].tolist() == [[10, 0, 0], [0, 10, 0], [20, 0, 0], [20, 3, 0]]
    assert tree.parents.tolist() == [0, 0, 0, 1, 3]


def test_branches_thicken_with_what_they_feed() -> None:
    tree = grow_tree(np.zeros(3), np.array([[10.0, 0, 0], [20, 4, 0], [20, -4, 0]]), twig=1.0)
    assert tree.parents.tolist() == [0, 0, 1, 1]
    assert np.allclose(tree.radii, [2**0.4, 2**0.4, 1, 1])

from __future__ import annotations

import numpy as np
import pytest

from monai_sg.discovery.frames import Frames
from monai_sg.studies.agreement.carried_places import (
    Places,
    box_around,
    box_overlap,
    displacement,
    label_crop,
)


@pytest.mark.parametrize("axes", [2, 3])
def test_a_place_is_carried_by_the_frame_of_each_image(axes: int) -> None:
    starts, lengths = np.array([[10.0] * axes, [4.0] * axes]), np.array([[20.0] * axes, [40.0] * axes])
    shapes, sizes = np.full((2, axes), 50), np.array([[4] * axes, [8] * axes])
    frames = Frames("body", ["a", "b"], starts, lengths, shapes, np.ones((2, axes)), sizes, (4,) * axes, np.ones(axes))
    places = Places(np.array([0]), np.array([[15.0] * axes]))
    # A quarter of the frame of the reference is a quarter of the other one, 4 + 10, around which the box has 8 voxels.
    assert places.anchors(frames).tolist() == [[0.25] * axes]
    assert places.boxes(frames).tolist() == [[[[13, 17]] * axes, [[10, 18]] * axes]]


@pytest.mark.parametrize("axes", [2, 3])
def test_labels_of_a_box_are_those_at_the_voxel_centres(axes: int) -> None:
    line = np.arange(6, dtype=np.int32)
    labels = np.broadcast_to(line.reshape(6, *[1] * (axes - 1)), (6,) * axes)
    whole = [[0, 6]] * (axes - 1)
    assert label_crop(labels, [[1, 5], *whole], (4,) * axes)[:, 0].ravel()[:: 4 ** (axes - 2)].tolist() == [1, 2, 3, 4]
    assert label_crop(labels, [[0, 6], *whole], (2,) * axes)[:, 0].ravel()[:: 2 ** (axes - 2)].tolist() == [1, 4]
    leaving = label_crop(labels, [[4, 8], *whole], (4,) * axes)[:, 0].ravel()[:: 4 ** (axes - 2)]
    assert leaving.tolist() == [4, 5, 0, 0]
    assert not label_crop(labels, [[7, 9], *whole], (2,) * axes).any()


def test_boxes_overlap_and_move_places_as_counted_by_hand() -> None:
    mask = np.zeros((6, 5), dtype=bool)
    mask[1, 2] = mask[3, 4] = True
    assert box_around(mask).tolist() == [[1, 4], [2, 5]]
    assert box_overlap([[0, 4], [0, 2]], [[2, 6], [0, 2]]) == pytest.approx(4 / 12)
    assert box_overlap([[0, 2]], [[3, 5]]) == 0
    anchors = np.array([[0.0, 0.0], [1.0, 0.5]])
    # The second box begins 3 voxels later along x and ends there too; along y it is 8 voxels longer at 0.5 mm.
    moved = displacement(anchors, [[0, 10], [0, 10]], [[3, 13], [0, 18]], (1.0, 0.5))
    assert moved.tolist() == [[3, 0], [3, 2]]

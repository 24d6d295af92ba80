from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_sg.data.cache_index import CacheEntry
from monai_sg.data.formats import UnusableImageError
from monai_sg.discovery.frames import Frames
from monai_sg.studies.carried_places import (
    Places,
    box_around,
    box_overlap,
    displacement,
    label_crop,
    labels_on_image,
)


def entry_of(shape: tuple[int, ...], affine: np.ndarray) -> CacheEntry:
    spacing = tuple(np.linalg.norm(affine[:3, :3], axis=0)[: len(shape)].tolist())
    box = [[0, length] for length in shape]
    return CacheEntry("a", "a.nii", shape, spacing, affine.tolist(), "int16", 1.0, 0.0, 0.0, box, None, windows={})


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


def test_labels_are_laid_on_the_voxels_of_the_image(tmp_path: Path) -> None:
    labels = np.arange(512, dtype=np.int16).reshape(8, 8, 8)
    # The file runs from right to left at 2 mm; the image is RAS at 1 mm and begins 2 mm further to the left.
    to_file = np.diag([-2.0, 2.0, 2.0, 1.0])
    to_file[0, 3] = 14.0
    nibabel.save(nibabel.Nifti1Image(labels, to_file), tmp_path / "a.nii")
    affine = np.eye(4)
    affine[:3, 3] = [-2.5, -0.5, -0.5]
    found = labels_on_image(tmp_path / "a.nii", entry_of((12, 16, 16), affine))
    assert not found[:2].any()
    assert np.array_equal(found[2:], labels[::-1].repeat(2, 0).repeat(2, 1).repeat(2, 2)[:10])


def test_a_map_of_fractions_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.linspace(0, 1, 512, dtype=np.float32).reshape(8, 8, 8), np.eye(4))
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(UnusableImageError, match="not whole"):
        labels_on_image(tmp_path / "a.nii", entry_of((8, 8, 8), np.eye(4)))


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

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_sg.data.phantom.body import make_phantom
from monai_sg.studies.agreement.varied_phantoms import reframed, write_varied_phantoms


@pytest.mark.parametrize("axes", [2, 3])
def test_margins_are_added_or_cut_off(axes: int) -> None:
    array = np.arange(1, 4).reshape(3, *[1] * (axes - 1))
    margins = np.zeros((axes, 2), dtype=np.int64)
    margins[0] = [2, -1]
    assert reframed(array, margins, -5).ravel().tolist() == [-5, -5, 1, 2]


def test_organs_stay_where_they_are_in_the_world(tmp_path: Path) -> None:
    shapes = ((36, 28, 28), (48, 38, 38))
    write_varied_phantoms(tmp_path, patients=2, shapes=shapes)
    files = sorted((tmp_path / "labels").iterdir())
    assert [path.name for path in files] == [path.name for path in sorted((tmp_path / "images").iterdir())]
    for number, path in enumerate(files):
        phantom = make_phantom(0, number, shapes[number])
        varied = nibabel.load(path)
        labels = np.asarray(varied.dataobj)
        assert labels.shape[0] > phantom.labels.shape[0]
        assert labels.shape[2] < phantom.labels.shape[2]
        heart, own = np.argwhere(phantom.labels == 6), np.argwhere(labels == 6)
        ends = [
            points @ affine[:3, :3].T + affine[:3, 3]
            for points, affine in ((heart, phantom.affine), (own, varied.affine))
        ]
        assert np.allclose(ends[0].min(0), ends[1].min(0), atol=1e-3)
        assert np.asarray(nibabel.load(tmp_path / "images" / path.name).dataobj).shape == labels.shape

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import Dataset
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, EnsureChannelFirstd

from monai_sg.data.images import LoadRecordd
from monai_sg.data.usable import UsableImages
from tests.data.conftest import ct_like, write_nifti

STEPS = Compose([LoadRecordd("image"), EnsureChannelFirstd("image")])


def records(folder: Path, *constant: int, number: int = 5) -> list[dict[str, Any]]:
    """Write images of different shapes, some of them of one value, which cannot be used."""
    shapes = [(12, 10 + index, 9) for index in range(number)]
    images = [np.zeros(shape) if index in constant else ct_like(shape) for index, shape in enumerate(shapes)]
    paths = [write_nifti(folder / f"scan{index}.nii.gz", image) for index, image in enumerate(images)]
    return [{"image": str(path), "id": f"case{index}"} for index, path in enumerate(paths)]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_unusable_images_are_left_out_and_each_other_one_comes_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, num_workers: int
) -> None:
    loader = UsableImages(Dataset(records(tmp_path, 0, 3), STEPS), num_workers)
    with caplog.at_level(logging.WARNING):
        batches = list(loader)
    assert [(batch["id"], tuple(batch["image"].shape)) for batch in batches] == [
        ([f"case{index}"], (1, 1, 12, 10 + index, 9)) for index in (1, 2, 4)
    ]
    reason = "case0 has the same value 0 in every voxel"
    assert caplog.messages[0] == f"{reason}; it is left out."
    assert caplog.messages[-1].startswith(f"2 of 5 images were left out: {reason}; case3 has")


def test_an_engine_runs_over_what_can_be_used(tmp_path: Path) -> None:
    loader = UsableImages(Dataset(records(tmp_path, 0, 1), STEPS))
    evaluator = SupervisedEvaluator(torch.device("cpu"), loader, torch.nn.Identity())
    evaluator.run()
    assert (evaluator.state.iteration, evaluator.state.epoch) == (3, 1)


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"None of the 2 images can be used: case0 has the same value 0 .*; case1 has"):
        list(UsableImages(Dataset(records(tmp_path, 0, 1, number=2), STEPS)))


def test_a_record_without_id_is_named_by_its_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = [{"image": record["image"]} for record in records(tmp_path, 1, number=2)]
    assert len(list(UsableImages(Dataset(data, STEPS)))) == 1
    assert "scan1.nii.gz has the same value" in caplog.text

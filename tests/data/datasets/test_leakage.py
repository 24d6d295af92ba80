from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_sg.data.datasets import leakage
from monai_sg.data.datasets.leakage import check_leakage
from monai_sg.data.records import Datalist
from tests.data.conftest import ct_like, write_nifti


def records(*names: str) -> list[dict[str, str]]:
    return [{"image": f"{name}.nii", "id": name, "patient": name} for name in names]


@pytest.mark.parametrize("split", ["training", "validation", "test"])
def test_a_test_image_of_a_target_task_is_refused_in_each_split(tmp_path: Path, split: str) -> None:
    targets = [Datalist(test=records("x")).save(tmp_path / "a.json"), Datalist(records("y"), [], records("b", "c"))]
    targets[1] = targets[1].save(tmp_path / "b.json")
    mine = Datalist(**{split: records("a", "b", "y")})
    check_leakage(mine, tmp_path, targets[:1])
    with pytest.raises(ValueError, match=r"^1 images are .* test images of .*b\.json: b\. Take them out"):
        check_leakage(mine, tmp_path, targets)


def test_an_absent_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.json, a data list of target_datalists, does not exist"):
        check_leakage(Datalist(records("a")), tmp_path, [tmp_path / "none.json"])


def test_a_series_is_known_by_its_uid_whatever_it_is_called(tmp_path: Path) -> None:
    target = Datalist(test=[{**records("scan_7")[0], "series": "1.2.3"}]).save(tmp_path / "target.json")
    check_leakage(Datalist(records("1.2.4")), tmp_path, [target])
    with pytest.raises(ValueError, match=r"target\.json: 1\.2\.3 \(there scan_7\)\."):
        check_leakage(Datalist(records("1.2.3")), tmp_path, [target])
    with pytest.raises(ValueError, match=r"target\.json: mine \(there scan_7\)\."):
        check_leakage(Datalist([{**records("mine")[0], "series": "1.2.3"}]), tmp_path, [target])
    stacks = [{**records(name)[0], "series": "slice_*.png"} for name in ("a", "b")]
    target = Datalist(test=stacks[:1]).save(tmp_path / "target.json")
    check_leakage(Datalist(stacks[1:]), tmp_path, [target])


def _target(place: Path, **more: str) -> Path:
    """Write two test images of a task, and its data list beside them."""
    for seed, name in enumerate(("x", "y")):
        write_nifti(place / f"task/{name}.nii", ct_like((14, 12, 10), seed))
    return Datalist(test=records("x", "y"), **more).save(place / "task.json")  # type: ignore[arg-type]


def test_copies_under_other_names_and_axes_are_found_by_their_voxels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _target(tmp_path, folder=str(tmp_path / "task"))
    turned = np.array([[0, -2.0, 0, 0], [0, 0, 3.0, 0], [4.0, 0, 0, 0], [0, 0, 0, 1]])
    write_nifti(tmp_path / "data/a.nii", ct_like((14, 12, 10), seed=5))
    write_nifti(tmp_path / "data/b.nii.gz", ct_like((14, 12, 10), seed=1)[::-1].transpose(2, 0, 1), turned)
    write_nifti(tmp_path / "data/c.nii", ct_like((15, 12, 10), seed=1))
    write_nifti(tmp_path / "data/d.nii", ct_like((14, 12, 10), seed=1) + 1)
    mine = Datalist([{**record, "image": f"{record['id']}.nii"} for record in records("a", "c", "d")])
    read: list[str] = []
    original = leakage.read_channels

    def spy(sources: list[Path], *arguments: Any, **more: Any) -> Any:
        read.append(sources[0].name)
        return original(sources, *arguments, **more)

    monkeypatch.setattr(leakage, "read_channels", spy)
    check_leakage(mine, tmp_path / "data", [target], progress=False)
    assert sorted(read) == ["a.nii", "d.nii", "x.nii", "y.nii"]  # c has another size
    mine.validation.append({"image": "b.nii.gz", "id": "b", "patient": "b"})
    with pytest.raises(ValueError, match=r"^1 images are .*task\.json: b \(there y\)\."):
        check_leakage(mine, tmp_path / "data", [target], progress=False)


def test_images_that_are_not_there_are_compared_by_name_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_nifti(tmp_path / "data/b.nii", ct_like((14, 12, 10), seed=1))
    mine = Datalist(records("b"))
    caplog.set_level(logging.INFO)
    for more in ({}, {"folder": str(tmp_path / "elsewhere")}):
        caplog.clear()
        check_leakage(mine, tmp_path / "data", [_target(tmp_path, **more)], progress=False)
        assert "task.json are not where they were, so they are compared by their names alone" in caplog.text

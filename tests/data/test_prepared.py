from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
import torch.distributed as dist
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Lambdad,
    LoadImaged,
    MapTransform,
    Orientationd,
    RandSpatialCropd,
    ScaleIntensityRanged,
)

from monai_sg.data import prepared
from monai_sg.data.images import LoadRecordd
from monai_sg.data.labels import PrepareLabeld
from monai_sg.data.prepared import NamedDataset, PreparedDataset
from monai_sg.data.readers.formats import UnusableImageError
from monai_sg.utils.files import read_json, write_json
from tests.ranks import run_ranks


class Counted(MapTransform):
    """Count calls, and refuse what a record asks to have refused."""

    calls = 0

    def __call__(self, data: Any) -> Any:
        type(self).calls += 1
        if data.get("fault") == "reason":
            raise UnusableImageError("holds the label values [7]")
        if data.get("fault") == "other":
            raise KeyError("no such thing")
        return data


STARTED = threading.Event()


def slowly(image: Any) -> Any:
    STARTED.set()
    time.sleep(0.3)
    return image


def black(path: str) -> torch.Tensor:
    return torch.zeros(1, 2, 2)


def preparation(high: float = 100.0) -> Compose:
    return Compose(
        [
            LoadImaged("image", ensure_channel_first=True),
            Counted("image"),
            ScaleIntensityRanged("image", a_min=0, a_max=high, b_min=0, b_max=1),
        ]
    )


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    Counted.calls = 0

    def write(name: str, shape: tuple[int, ...] = (6, 5, 4), **more: Any) -> dict[str, Any]:
        path = tmp_path / f"{name}.nii.gz"
        values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
        nibabel.save(nibabel.Nifti1Image(values, np.diag([1.0, 2.0, 3.0, 1.0])), path)
        return {"image": str(path), **more}

    return write


def dataset(tmp_path: Path, data: list[dict[str, Any]], steps: Compose | None = None, **more: Any) -> PreparedDataset:
    return PreparedDataset(data, steps or preparation(), cache_dir=tmp_path / "cache", progress=False, **more)


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5)])
def test_an_item_is_what_the_preparation_gives(tmp_path: Path, record: Any, shape: tuple[int, ...]) -> None:
    one = dataset(tmp_path, [record("a", shape, patient="p", id="x")])
    item = one[0]
    assert type(item["image"]) is torch.Tensor
    assert torch.equal(item["image"], torch.arange(float(np.prod(shape))).reshape(1, *shape) / 100)
    assert (item["id"], item["patient"]) == ("x", "p")
    assert one.shapes == [shape]
    assert one.spacings[0][:2] == (1.0, 2.0)


def test_images_are_read_once_and_the_random_part_every_time(tmp_path: Path, record: Any) -> None:
    crop = RandSpatialCropd("image", roi_size=(2, 2, 2), random_size=False)
    data = [record("a"), record("b")]
    one = dataset(tmp_path, data, transform=crop)
    assert Counted.calls == 2
    crops = [one[epoch, 0]["image"] for epoch in range(6)]
    again = dataset(tmp_path, data, transform=crop)
    assert Counted.calls == 2, "a second run finds both"
    assert all(torch.equal(again[epoch, 0]["image"], crops[epoch]) for epoch in range(6))
    assert len({tuple(crop.flatten().tolist()) for crop in crops}) > 1


def test_another_file_and_another_preparation_are_prepared_anew(tmp_path: Path, record: Any) -> None:
    data = [record("a")]
    dataset(tmp_path, data)
    os.utime(data[0]["image"], (0, 0))
    dataset(tmp_path, data)
    assert Counted.calls == 2
    assert float(dataset(tmp_path, data, preparation(high=50.0))[0]["image"].max()) == pytest.approx(119 / 50)
    assert Counted.calls == 3


def test_another_version_is_prepared_anew(tmp_path: Path, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = [record("a", label=1)]
    before = dataset(tmp_path, data)._facts[0]["key"]
    assert dataset(tmp_path, data)._facts[0]["key"] == before
    monkeypatch.setattr(prepared, "VERSION", prepared.VERSION + 1)
    assert dataset(tmp_path, data)._facts[0]["key"] != before
    assert Counted.calls == 2


def test_channels_in_files_of_their_own_all_count(tmp_path: Path, record: Any) -> None:
    paths = [record(name, (10, 9, 8))["image"] for name in "ab"]
    steps = Compose([LoadRecordd("image"), EnsureChannelFirstd("image"), Counted("image")])
    first = dataset(tmp_path, [{"image": paths, "label": [0, 1]}], steps)
    assert first.shapes == [(10, 9, 8)]
    assert (first[0]["id"], first[0]["label"], first[0]["image"].shape) == ("a", [0, 1], (2, 10, 9, 8))
    os.utime(paths[1], ns=(1, 1))
    assert dataset(tmp_path, [{"image": paths, "label": [0, 1]}], steps)._facts[0]["key"] != first._facts[0]["key"]


def test_slices_and_voxels_beside_a_header_count(tmp_path: Path, record: Any) -> None:
    record("unused")  # resets the count
    folder = tmp_path / "exam"
    folder.mkdir()
    for name in ("1.png", "2.png"):
        (folder / name).write_bytes(b"a")
    (tmp_path / "a.mhd").write_text("NDims = 3\nElementDataFile = voxels of a.bin\n")
    (tmp_path / "voxels of a.bin").write_bytes(b"a")
    data = [{"image": str(folder), "series": "*.png"}, {"image": str(tmp_path / "a.mhd"), "patient": "A/1"}]
    steps = Compose([Counted("image"), Lambdad("image", black)])
    for changed in (None, folder / "2.png", tmp_path / "voxels of a.bin"):
        if changed:
            os.utime(changed, (0, 0))
        dataset(tmp_path, data, steps)
    assert Counted.calls == 4


def test_a_record_may_hold_a_text_with_a_separator_that_names_no_file(tmp_path: Path, record: Any) -> None:
    assert len(dataset(tmp_path, [record("a", patient="LUNG1/001")])) == 1


def test_a_second_process_waits_for_what_the_first_prepares(
    tmp_path: Path, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    data = [record("a", (9, 9, 9)), record("b", (9, 9, 9))]
    STARTED.clear()
    steps = Compose([LoadRecordd("image"), EnsureChannelFirstd("image"), Counted("image"), Lambdad("image", slowly)])
    with ThreadPoolExecutor() as pool:
        first = pool.submit(dataset, tmp_path, data, steps)
        assert STARTED.wait(60)
        second = pool.submit(dataset, tmp_path, data, steps)
        assert len(first.result()) == len(second.result()) == 2
    assert Counted.calls == 2
    assert "Another process fills" in caplog.text


def test_the_ranks_of_a_run_meet_in_no_barrier(tmp_path: Path, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("is_initialized", "is_available"):
        monkeypatch.setattr(torch.distributed, name, lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "barrier", lambda: pytest.fail("NCCL gives up after 10 minutes"))
    monkeypatch.setattr("monai_sg.data.prepared.gathered", lambda value: [value, value])
    assert len(dataset(tmp_path, [record("a")])) == 1


def test_what_cannot_be_prepared_is_left_out_with_its_reason(
    tmp_path: Path, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    torn = record("torn")
    Path(torn["image"]).write_bytes(Path(torn["image"]).read_bytes()[:60])
    data = [record("a", fault="reason"), torn, record("b"), record("c", fault="other"), {"image": "/no/such.nii"}]
    with caplog.at_level(logging.WARNING):
        one = dataset(tmp_path, data)
    assert [item["id"] for item in one.data] == ["b"]
    assert one.skipped["a"] == "holds the label values [7]"
    assert one.skipped["c"] == "cannot be prepared (KeyError: 'no such thing')"
    assert set(one.skipped) == {"a", "c", "torn", "such"}
    assert sum("it is left out" in message for message in caplog.messages) == 4
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.name.startswith(".")]


def test_nothing_usable_is_an_error_and_nothing_given_falls_back(tmp_path: Path, record: Any) -> None:
    with pytest.raises(ValueError, match="None of the 1 records can be used: a holds the label values"):
        dataset(tmp_path, [record("a", fault="reason")])
    assert len(dataset(tmp_path, [], fallback=[record("b")])) == 1
    assert len(dataset(tmp_path, [])) == 0


def test_records_of_which_none_can_be_used_fall_back_as_none_do(
    tmp_path: Path, record: Any, caplog: pytest.LogCaptureFixture
) -> None:
    one = dataset(tmp_path, [record("a", fault="reason")], fallback=[record("b")])
    assert [item["id"] for item in one.data] == ["b"]
    assert one.skipped == {"a": "holds the label values [7]"}
    assert len(one.shapes) == 1
    assert "There are no records of their own, so 1 training records are validated on." in caplog.text
    with pytest.raises(ValueError, match="None of the 2 records can be used"):
        dataset(tmp_path, [record("a", fault="reason")], fallback=[record("b", fault="other")])


@pytest.mark.parametrize("foreground", [[1], [7]])
def test_labels_without_foreground_are_known_whenever_they_were_prepared(
    tmp_path: Path, record: Any, foreground: list[int]
) -> None:
    keys = ["image", "label"]
    load = [LoadRecordd(keys), EnsureChannelFirstd(keys)]
    steps = Compose(
        [*load, PrepareLabeld("label", {"object": foreground}), Orientationd(keys, axcodes="LPS", labels=None)]
    )
    label = np.zeros((9, 9, 9), np.uint8)
    label[2:4] = 1
    nibabel.save(nibabel.Nifti1Image(label, np.diag([1.0, 2.0, 3.0, 1.0])), tmp_path / "label.nii")
    data = [record("a", label.shape, label=str(tmp_path / "label.nii"))]
    expected = [] if foreground == [1] else [[0, 1]]
    for _ in range(2):
        assert dataset(tmp_path, data, steps).empty_labels == expected


def test_records_of_the_same_name_are_kept_apart(tmp_path: Path, record: Any) -> None:
    (tmp_path / "other").mkdir()
    first = record("a")
    second = record("other/a", (2, 2, 2))
    assert dataset(tmp_path, [first, second]).shapes == [(6, 5, 4), (2, 2, 2)]


def test_an_error_of_a_data_set_that_leaves_nothing_out_names_the_record(record: Any) -> None:
    data = NamedDataset([record("a", id="x"), record("b", id="y", fault="reason")], preparation())
    assert data[0]["image"].shape == (1, 6, 5, 4)
    with pytest.raises(UnusableImageError, match=r"^y holds the label values \[7\]\. Correct it, or take it out"):
        data[1]


@pytest.mark.slow
def test_another_process_finds_what_is_prepared(tmp_path: Path, record: Any) -> None:
    data = [record("a")]
    code = (
        "import sys; from monai.transforms import *; from monai_sg.data.prepared import PreparedDataset\n"
        "steps = Compose([LoadImaged(['image'], ensure_channel_first=True), Orientationd('image', 'RAS', labels=None),"
        "Spacingd('image', (1, 1, 1), mode='bilinear'), ClassesToIndicesd('image', num_classes=2)])\n"
        f"PreparedDataset({data}, steps, cache_dir=r'{tmp_path / 'cache'}')"
    )
    for seed in ("1", "2"):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    assert len(list((tmp_path / "cache" / "prepared").iterdir())) == 1


class BrokenDisk:
    """Prepare an image, but for one that the second process cannot read."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        if self.rank == 1 and data["id"] == "b":
            raise OSError("the disk of this process is broken")
        return {**data, "image": torch.zeros(1, 4, 4)}


def _of_rank(rank: int, world: int, folder: str) -> None:
    dist.init_process_group("gloo", rank=rank, world_size=world, init_method=f"file://{folder}/meet")
    records = []
    for name in "abc":
        path = Path(folder, f"{name}.bin")
        path.touch()
        records.append({"image": str(path), "id": name})
    # Each process has a cache of its own, as on the disks of several machines.
    dataset = PreparedDataset(records, Compose([BrokenDisk(rank)]), cache_dir=f"{folder}/{rank}", progress=False)
    write_json(f"{folder}/found_{rank}.json", [[record["id"] for record in dataset.data], dataset.skipped])
    dist.destroy_process_group()


@pytest.mark.dist
def test_what_one_process_cannot_read_is_left_out_on_all(tmp_path: Path) -> None:
    run_ranks(_of_rank, 2, str(tmp_path))
    for rank in range(2):
        ids, skipped = read_json(tmp_path / f"found_{rank}.json")
        assert ids == ["a", "c"]
        assert skipped.keys() == {"b"}
        assert "the disk of this process is broken" in skipped["b"]

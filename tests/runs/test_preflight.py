from __future__ import annotations

import logging
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.runs.preflight import Preflight

# Two images, one of them smaller than the crop.
IMAGES = SimpleNamespace(
    shapes=[(64, 64, 40), (64, 48, 16)],
    spacings=[(0.7, 0.7, 2.5), (0.8, 0.7, 5.0)],
    skipped={"c": "cannot be read"},
)


def preflight(output: Path, **more: Any) -> Preflight:
    network = GenesisUNet(spatial_dims=3, width=4)
    values: dict[str, Any] = {
        "items": 70,
        "steps": 4,
        "validation": 4,
        "crop_size": [32, 32, 24],
        "network": network,
    }
    fixed = {"stage": "train", "images": IMAGES, "batch_size": 16, "epochs": 3, "device": "cpu"}
    return Preflight(**{**fixed, **values, **more}, output_dir=output)


def test_facts_are_those_of_the_run(tmp_path: Path) -> None:
    sizes, work, machine, disk, small = preflight(tmp_path).lines()
    assert "2 images, 1 skipped" in sizes
    assert "spacing 0.7-0.8 x 0.7 x 2.5-5 mm; shape 64 x 48-64 x 16-40 voxels" in sizes
    assert work.endswith("70 training and 4 validation items of 32x32x24, 4 steps of 16 in each of 3 epochs")
    assert "on cpu with" in machine
    assert "mixed precision off; network of 0.3 M parameters" in machine
    assert f"to {tmp_path}" in disk
    assert small.endswith("1 images are smaller than the crop along an axis and are padded there")


def test_whole_images_are_resized_so_none_is_small(tmp_path: Path) -> None:
    assert not any("smaller" in line for line in preflight(tmp_path, pads=False).lines())


def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Preflight, "_free_memory", lambda _: 1)
    assert any("lower batch_size" in line for line in preflight(tmp_path).lines())


def test_nothing_is_said_of_small_images_where_there_are_none(tmp_path: Path) -> None:
    assert not any("smaller" in line for line in preflight(tmp_path, crop_size=[32, 32, 16]).lines())


def test_it_makes_the_folder_and_logs_the_facts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="monai_sg.runs.preflight"):
        preflight(tmp_path / "new" / "train")()
    assert (tmp_path / "new" / "train").is_dir()
    assert len(caplog.messages) == 5


def test_two_processes_make_their_steps_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work_and_cost(steps: int) -> tuple[str, str]:
        _, work, machine, *_ = preflight(tmp_path, steps=steps).lines()
        return work, machine.split("a step, ")[1]

    _, alone = work_and_cost(4)
    monkeypatch.setattr("monai_sg.runs.preflight.world_size", lambda: 2)
    work, together = work_and_cost(2)
    assert work.endswith("70 training and 4 validation items of 32x32x24, 2 steps of 2 x 16 in each of 3 epochs")
    assert together == alone
    assert re.fullmatch(r"[\d.]+GFLOP in all", alone)


def test_no_validation_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no validation data among the 2 readable images \(1 were skipped\)"):
        preflight(tmp_path / "new", validation=0)()
    assert not (tmp_path / "new").exists()


def test_a_training_without_a_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"70 items in 1 processes do not fill a batch of 16; lower batch_size"):
        preflight(tmp_path / "new", steps=0)()
    assert not (tmp_path / "new").exists()


def test_labels_without_any_foreground_are_refused_with_the_values_they_hold(tmp_path: Path) -> None:
    def labelled(*empty: list[float]) -> SimpleNamespace:
        return SimpleNamespace(**vars(IMAGES), empty_labels=empty)

    none, one, all_of_them = labelled(), labelled([0, 255]), labelled([0, 255], [0, 2])
    for images, kind in (([all_of_them, none], ""), ([one, all_of_them], "validation ")):
        sentence = rf"train has no foreground in any of its 2 {kind}labels, .* values \[0, 2, 255\]; name"
        with pytest.raises(ValueError, match=sentence):
            preflight(tmp_path / "new", labelled=images)()
    assert not (tmp_path / "new").exists()
    preflight(tmp_path / "new", labelled=[one, one])()


@pytest.mark.parametrize(
    ("size", "fitting"), [([32, 30, 16], "[32, 32, 16]"), ([4, 32, 32], "[8, 32, 32]"), ([0, 8, 8], "[8, 8, 8]")]
)
def test_a_size_the_network_cannot_take_is_refused_with_one_it_can(
    tmp_path: Path, size: list[int], fitting: str
) -> None:
    with pytest.raises(ValueError, match="must be a multiple of 8") as error:
        preflight(tmp_path, crop_size=size)()
    assert str(size) in str(error.value)
    assert fitting in str(error.value)

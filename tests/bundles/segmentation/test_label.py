"""The liver bundle does what MONAI Label asks of a bundle, in the way in which MONAI Label asks it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import monai.bundle
import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import LoadImaged, SaveImaged

from monai_sg.handlers.history import read_history
from monai_sg.utils.files import read_json, write_json
from tests.bundles.families.segmentation import BUNDLE, INFERENCE, SMALL, run, same
from tests.bundles.folders import TOP, content

Records = list[dict[str, str]]
LOADER = {
    "_target_": "CheckpointLoader",
    "load_dict": {"model": "$@network"},
    "strict": False,
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the bundle, as it lies in the folder of the app, made small by its owner."""
    folder = tmp_path / "model" / BUNDLE
    shutil.copytree(TOP / BUNDLE, folder, ignore=shutil.ignore_patterns("models", "eval"))
    for name in ("train.json", "inference.json"):
        path = folder / "configs" / name
        given = content(path)
        small = {key: value for key, value in SMALL.items() if key not in ("device", "epochs", "sw_batch_size")}
        write_json(path, {**given, **small})
    return folder


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Take back the configuration of logging that a bundle brings."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def records(cohort: Path, *numbers: int) -> Records:
    return [
        {"image": str(cohort / f"volume-{number}.nii"), "label": str(cohort / f"segmentation-{number}.nii")}
        for number in numbers
    ]


def train(bundle: Path, training: Records, validation: Records | None, epochs: int = 1) -> None:
    """Do what the train task of MONAI Label 0.8.5 does; without validation records for ``val_split`` -1."""
    given = content(bundle / "configs/train.json")["train"]["handlers"]
    handlers = (
        [{**LOADER, "load_path": str(bundle / "models/model.pt")}] if (bundle / "models/model.pt").exists() else []
    )
    overrides: dict[str, Any] = {
        "bundle_root": str(bundle),
        "device": "cpu",
        "train#trainer#max_epochs": epochs,
        "train#dataset#data": training,
        "train#handlers": [*handlers, *given],
    }
    if validation is not None:
        overrides["validate#dataset#data"] = validation
    monai.bundle.run(
        run_id="run",
        meta_file=str(bundle / "configs/metadata.json"),
        config_file=str(bundle / "configs/train.json"),
        **overrides,
    )


def saved(bundle: Path) -> dict[str, torch.Tensor]:
    return torch.load(bundle / "models/model.pt", weights_only=True)


def test_training_twice_with_more_labels(
    bundle: Path, liver_cohort: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    train(bundle, records(liver_cohort, 0, 1), records(liver_cohort, 100), epochs=2)
    assert len(read_history(bundle / "eval/train/metrics.csv")) == 2
    assert read_json(bundle / "models/model.json")["images"] == 2
    first = saved(bundle)
    given = bundle / "models/given.pt"
    shutil.copy(bundle / "models/model.pt", given)
    train(bundle, records(liver_cohort, 0, 1, 2, 3), records(liver_cohort, 100))
    assert len(read_history(bundle / "eval/train/metrics.csv")) == 1, "a new run, not the old one continued"
    assert read_json(bundle / "models/model.json")["images"] == 4
    second = saved(bundle)
    assert not same(first, second)
    # One epoch of Adam at 0.001 moves no weight far from the model that Label loaded.
    steps = 2
    for name, value in second.items():
        if name.endswith("conv.weight"):
            assert (value - first[name]).abs().max() <= 0.0011 * steps, name


def test_training_without_validation_labels_falls_back(
    bundle: Path,
    liver_cohort: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    train(bundle, records(liver_cohort, 0), [])
    assert "There are no records of their own, so 1 training records are validated on." in capsys.readouterr().out
    assert (bundle / "models/model.pt").is_file()


def label_prediction(bundle: Path, image: Path) -> dict[str, Any]:
    """Do what the infer task of MONAI Label 0.8.5 does."""
    config = ConfigParser()
    config.read_config(str(bundle / "configs/inference.json"))
    config.update({"bundle_root": str(bundle), "device": "cpu"})
    get = config.get_parsed_content
    network = get("network_def").to("cpu")
    network.load_state_dict(saved(bundle), strict=False)
    network.eval()
    data: dict[str, Any] = {"image": str(image), "image_path": str(image)}
    for transform in get("preprocessing").transforms:
        if isinstance(transform, LoadImaged):
            transform._loader.image_only = transform.image_only = False
        data = transform(data)
    with torch.no_grad():
        data["pred"] = get("inferer")(data["image"][None], network)[0]
    for transform in get("postprocessing").transforms:
        if not isinstance(transform, SaveImaged):
            data = transform(data)
    return data


@pytest.mark.parametrize("spacing", [[], [8.0, 9.0, 10.0]])
def test_inference_gives_a_label_map_on_the_voxels_of_the_image(
    bundle: Path, liver_cohort: Path, finished_liver: Path, tmp_path: Path, spacing: list[float]
) -> None:
    shutil.copytree(finished_liver / "models", bundle / "models")
    path = bundle / "configs/inference.json"
    write_json(path, {**content(path), "spacing": spacing})
    image = liver_cohort / "volume-115.nii"
    data = label_prediction(bundle, image)
    assert data["image_path"] == str(image)
    assert tuple(data["image_meta_dict"]["spatial_shape"]) == nibabel.load(image).shape
    assert data["pred"].shape == (1, *nibabel.load(image).shape)
    np.testing.assert_allclose(data["pred"].affine, nibabel.load(image).affine, atol=1e-4)
    models = str(finished_liver / "models")
    run(INFERENCE, liver_cohort, tmp_path / "run", ckpt_dir=models, spacing=spacing)
    expected = nibabel.load(tmp_path / "run/predictions/volume-115/volume-115_liver.nii.gz")
    np.testing.assert_array_equal(np.asarray(data["pred"].array[0]), np.asarray(expected.dataobj))


def test_labels_of_the_outputs_are_named(bundle: Path) -> None:
    pred = content(bundle / "configs/metadata.json")["network_data_format"]["outputs"]["pred"]
    assert {name.lower(): int(index) for index, name in pred["channel_def"].items()} == {"background": 0, "liver": 1}

"""The released pattern arrays take the place of scans, cache and discovery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from monai_sg.handlers.history import read_history
from monai_sg.utils.files import read_json
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.bundles.folders import workflow
from tests.data.released_arrays import CROP, write_released

CLASSES = 2


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released(tmp_path_factory.mktemp("released"), "float16")


def _values(released: Path, output: Path, **more: Any) -> dict[str, Any]:
    values = overrides(released, output, num_classes=CLASSES, **more)
    del values["crop_size"]  # the overlay takes that of the arrays
    return values


def _run(names: list[str], values: dict[str, Any]) -> None:
    made = workflow(BUNDLE, names, values)
    made.run()
    made.finalize()


def test_both_stages_train_on_the_arrays_alone(released: Path, tmp_path: Path) -> None:
    for stage in ("classify", "train"):
        _run([f"{stage}.json", "data_released.json"], _values(released, tmp_path))
        (row,) = read_history(tmp_path / stage / "metrics.csv")
        assert 0 < row["validation_loss"] < 10
    assert not {"datalist.json", "cache", "patterns.json"} & {path.name for path in tmp_path.iterdir()}
    head = torch.load(tmp_path / "train" / "method.pt", weights_only=True)["head.linear.bias"]
    assert head.shape == (CLASSES,)
    described = read_json(tmp_path / "models" / "model.json")
    assert described["preprocessing"]["crop_size"] == list(CROP)
    assert "non-commercial" in described["licence"]


def test_training_has_three_resolutions_and_validation_one(released: Path, tmp_path: Path) -> None:
    get = workflow(
        BUNDLE, ["classify.json", "data_released.json"], _values(released, tmp_path)
    ).parser.get_parsed_content
    assert (len(get("train::dataset")), len(get("validate::dataset"))) == (24, 4)
    item = get("train::dataset")[0]
    assert item["image"].shape == (1, *CROP)
    assert 0 <= item["image"].min() <= item["image"].max() <= 1


def test_evaluation_is_on_the_validation_crops(released: Path, tmp_path: Path) -> None:
    names = ["train.json", "evaluate.json", "data_released.json"]
    get = workflow(BUNDLE, names, _values(released, tmp_path, stage1_path=None)).parser.get_parsed_content
    assert {record["id"][:3] for record in get("validate::dataset::data")} == {"val"}

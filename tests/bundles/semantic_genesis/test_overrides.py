"""One override reaches every stage, and evaluation measures what was saved."""

from __future__ import annotations

import shutil
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from monai_sg.data.intensity import scaled
from monai_sg.handlers.history import read_history
from monai_sg.runs.chain import Chain
from monai_sg.utils.files import read_json
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.bundles.folders import config, content, parser, workflow
from tests.bundles.test_runs import without


def test_evaluation_writes_the_metrics_of_the_saved_epoch(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path
) -> None:
    output = without(finished_run, tmp_path / "run", "train")
    shutil.copytree(finished_run / "train", output / "train")
    more = {"validate::dataset::data::split": "validation"}
    workflow(BUNDLE, ["train.json", "evaluate.json"], overrides(phantom_cohort, output, **more)).run()
    lines = (output / "evaluation" / "metrics.csv").read_text().splitlines()
    metrics = {name: float(value) for name, value in (line.split(",") for line in lines)}
    assert set(metrics) == {"loss", *content(config(BUNDLE, "evaluate.json"))["validate::additional_metrics"]}
    assert all(isfinite(value) for value in metrics.values())
    (row,) = read_history(finished_run / "train" / "metrics.csv")
    for name in ("loss", "accuracy", "classification"):
        assert metrics[name] == pytest.approx(row[f"validation_{name}"], rel=1e-6), name


def _crop_sizes(parsed: ConfigParser) -> list[list[int]]:
    reader = [parsed.get_parsed_content(f"{part}::preprocessing").transforms[0] for part in ("train", "validate")]
    return [list(transform.size) for transform in reader]


@pytest.fixture
def changed(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> dict[str, Any]:
    more = {"crop_size": [24, 16, 8], "intensity_range": [-500, 300], "width": 2, "stage1_path": None}
    return overrides(phantom_cohort, finished_run, run_dir=str(tmp_path), **more)


@pytest.mark.parametrize("name", ["classify.json", "train.json"])
def test_one_override_reaches_training_and_validation(changed: dict[str, Any], name: str) -> None:
    made = workflow(BUNDLE, [name], changed)
    get = made.parser.get_parsed_content
    assert _crop_sizes(made.parser) == [[24, 16, 8]] * 2
    assert get("preflight").crop_size == (24, 16, 8)
    for part in ("train", "validate"):
        assert get(f"{part}::preprocessing").transforms[1].intensity_range == (-500, 300)
        assert get(f"{part}::dataset")[0]["image"].shape == (1, 24, 16, 8)
    assert get("network").encoder_channels == [4, 8, 16, 32]
    assert get("train::trainer").network is get("validate::evaluator").network is get("method")
    assert get("method").network is get("network")


@pytest.mark.parametrize("name", ["autoencoder.json", "classify.json", "train.json"])
def test_network_and_heads_are_on_the_device(changed: dict[str, Any], name: str) -> None:
    made = workflow(BUNDLE, [name], {**changed, "device": "$torch.device('meta')"})
    method = made.parser.get_parsed_content("method")
    assert {value.device.type for value in method.state_dict().values()} == {"meta"}


def test_the_same_overrides_reach_inference(changed: dict[str, Any]) -> None:
    get = parser(BUNDLE, ["inference.json"], {**changed, "spacing": [3.0, 2.0, 1.0]}).get_parsed_content
    assert get("inferer").roi_size == [24, 16, 8]
    assert get("network_def").encoder_channels == [4, 8, 16, 32]
    resample, scale = get("preprocessing").transforms[-2:]
    assert list(resample.pixdim) == [3.0, 2.0, 1.0]
    item = scale({"image": MetaTensor([[[-900.0, -500.0, -100.0, 300.0, 900.0]]])})
    assert item["image"].flatten().tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    back = get("postprocessing").transforms[1].transform.transforms[-1]
    assert back.inverse(item)["image"].flatten().tolist() == [-500.0, -500.0, -100.0, 300.0, 300.0]


def test_inference_sees_images_at_the_spacing_of_the_crops(changed: dict[str, Any], finished_run: Path) -> None:
    get = parser(BUNDLE, ["inference.json"], changed).get_parsed_content
    grid = read_json(finished_run / "patterns.json")["grid"]["spacing"]
    assert get("preprocessing").transforms[-2].pixdim == pytest.approx(grid)


def test_a_window_per_image_reaches_training_validation_and_inference(changed: dict[str, Any]) -> None:
    values = {**changed, "intensity_range": "percentile"}
    get = workflow(BUNDLE, ["classify.json"], values).parser.get_parsed_content
    for part in ("train", "validate"):
        record, item = get(f"{part}::dataset::data")[0], get(f"{part}::dataset")[0]
        crop = torch.from_numpy(get("cache").read_box(record["id"], record["box"], [24, 16, 8]))[None]
        assert torch.equal(item["image"], scaled(crop, get("cache").windows(record["id"], "percentile")[0]))
    whole = parser(BUNDLE, ["inference.json"], values).get_parsed_content("preprocessing").transforms[-1]
    assert (whole.intensity_range, whole.cache) == ("percentile", None)


def test_one_override_reaches_the_autoencoder_and_the_discovery(changed: dict[str, Any]) -> None:
    values = {**changed, "overview_size": [8, 16, 24]}
    auto = workflow(BUNDLE, ["autoencoder.json"], values).parser.get_parsed_content
    assert auto("train::dataset")[0]["image"].shape == auto("validate::dataset")[0]["image"].shape == (1, 8, 16, 24)
    assert auto("preflight").crop_size == (8, 16, 24)
    found = parser(BUNDLE, ["discover.json"], values)
    assert found.get_parsed_content("network_def").encoder_channels == auto("network").encoder_channels
    assert found.get_parsed_content("settings")["crop_size"] == [24, 16, 8]


def test_spacing_reaches_the_cache(phantom_cohort: Path, tmp_path: Path) -> None:
    values = overrides(phantom_cohort, tmp_path, spacing=[9.0, 8.0, 7.0])
    for name in ("autoencoder.json", "discover.json", "classify.json", "train.json"):
        cache = parser(BUNDLE, [name], values).get_parsed_content("cache")
        assert {cache.entry(image).spacing for image in cache.ids} == {(9.0, 8.0, 7.0)}


def test_chain_gives_each_config_the_overrides_it_has(phantom_cohort: Path, tmp_path: Path) -> None:
    chain = Chain(BUNDLE, {"patience": 3, "stage1_path": None, "train::dataloader::num_workers": 1})
    lines = dict(zip(chain.stages, chain.commands(), strict=True))
    assert "--train::dataloader::num_workers 1" in lines["classify"]
    assert "train::dataloader" not in lines["discover"]
    assert [stage for stage, line in lines.items() if "--patience 3" in line] == ["autoencoder", "classify", "train"]

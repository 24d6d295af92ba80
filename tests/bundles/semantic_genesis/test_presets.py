"""Each line of the table of presets: ours, the paper's and the released code's."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser

from monai_sg.data.records import PatternTable
from monai_sg.discovery.settings import DiscoverySettings
from monai_sg.runs.chain import Chain
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.bundles.folders import parser, workflow

PRESETS = ("default", "paper", "release")


@cache
def parsed(preset: str, name: str) -> ConfigParser:
    """Return a config with a preset, at its full size, of which nothing that reads images can be built."""
    files = [f"{name}.json", *([] if preset == "default" else [f"preset_{preset}.json"])]
    return parser(BUNDLE, files, {"device": "cpu"})


def value(preset: str, name: str, key: str) -> Any:
    return parsed(preset, name).get_parsed_content(key)


SETTINGS: list[tuple[str, str, tuple[Any, Any, Any]]] = [
    # config, id, values of default, paper and release
    ("classify", "epochs", (20, 20, 10_000)),
    ("train", "epochs", (1000, 1000, 10_000)),
    ("autoencoder", "epochs", (1000, 1000, 10_000)),
    ("train", "patience", (50, 50, 50)),
    ("train", "learning_rate", (0.001, 0.001, 0.001)),
    ("train", "batch_size", (64, 64, 64)),
    ("autoencoder", "batch_size", (8, 8, 8)),
    ("train", "lambda_rec", (1.0, 1.0, 1.0)),
    ("train", "lambda_cls", (0.01, 0.01, 0.01)),
    ("train", "num_classes", (44, 44, 44)),
    ("discover", "crop_size", ([64, 64, 32],) * 3),
    ("autoencoder", "overview_size", ([128, 128, 64],) * 3),
    ("discover", "preset", PRESETS),
]

DISCOVERY: list[tuple[str, tuple[Any, Any, Any]]] = [
    ("num_classes", (44, 44, 50)),
    ("num_neighbours", (200, 200, 200)),
    ("neighbour_share", (0.45, 1.0, 1.0)),
    ("num_neighbours_validation", (30, 30, 30)),
    ("scales", (3, 3, 3)),
    ("frame", ("auto", "voxel", "voxel")),
    ("coordinates_per_reference", (None, 44, 1)),
    ("reference_draw", ("central", "random", "random")),
]

RULES: list[tuple[str, tuple[Any, Any, Any]]] = [
    ("max_iou", (0.5, 0.5, 1.0)),
    ("min_body_share", (0.5, 0.5, 0.0)),
    ("min_deviation", (0.01, 0.01, 0.0)),
    ("candidates", (4096, 4096, 200)),
    ("border", (None, None, [100, 100, 30])),
    ("min_distance", (0, 0, 5)),
    ("max_tissue_share", (1.0, 1.0, 0.15)),
    ("tissue_threshold", (-150, -150, -150)),
]

NETWORKS: list[tuple[str, str, tuple[Any, Any, Any]]] = [
    ("autoencoder", "autoencoder_skips", (False, False, True)),
    ("train", "batch_statistics", (False, False, True)),
]

CORRUPTION: list[tuple[str, tuple[Any, Any, Any]]] = [
    ("shuffle.mode", ("tiled", "exact", "exact")),
    ("shuffle.blocks", (10_000, 10_000, 5)),
    ("in_paint.boxes", (5, 5, 1)),
    ("out_paint.boxes", (5, 5, 1)),
    ("in_paint.more_prob", (0.95, 0.95, 1.0)),
    ("out_paint.more_prob", (0.95, 0.95, 1.0)),
]


@pytest.mark.parametrize("place", range(3), ids=PRESETS)
@pytest.mark.parametrize(("name", "key", "values"), [*SETTINGS, *NETWORKS])
def test_setting(name: str, key: str, values: tuple[Any, Any, Any], place: int) -> None:
    assert value(PRESETS[place], name, key) == values[place]


@pytest.mark.parametrize("place", range(3), ids=PRESETS)
@pytest.mark.parametrize(("key", "values"), DISCOVERY)
def test_setting_of_the_discovery(key: str, values: tuple[Any, Any, Any], place: int) -> None:
    settings = DiscoverySettings(**value(PRESETS[place], "discover", "discovery::settings"))
    assert getattr(settings, key) == values[place]


@pytest.mark.parametrize("place", range(3), ids=PRESETS)
@pytest.mark.parametrize(("key", "values"), RULES)
def test_rule_of_a_coordinate(key: str, values: tuple[Any, Any, Any], place: int) -> None:
    assert getattr(value(PRESETS[place], "discover", "coordinate_rules"), key) == values[place]


@pytest.mark.parametrize("place", range(3), ids=PRESETS)
@pytest.mark.parametrize(("key", "values"), CORRUPTION)
def test_corruption(key: str, values: tuple[Any, Any, Any], place: int) -> None:
    part, attribute = key.split(".")
    assert getattr(getattr(value(PRESETS[place], "train", "corruption"), part), attribute) == values[place]


@pytest.mark.parametrize("preset", PRESETS)
def test_one_of_four_after_a_warp_or_the_composition(preset: str) -> None:
    corruption = value(preset, "train", "corruption")
    names = {"default": "GenesisCorruption", "paper": "GenesisCorruption", "release": "OneOfFour"}
    assert type(corruption).__name__ == names[preset]
    if preset == "release":
        assert (corruption.warp.prob, corruption.warp.sigma, corruption.warp.alpha) == (1.0, 8.0, 991.0)
    else:
        assert (corruption.shuffle.prob, corruption.intensity.prob) == (0.5, 0.9)
        assert (corruption.paint_prob, corruption.out_paint_prob) == (0.9, 0.8)


@pytest.mark.parametrize("preset", PRESETS)
def test_networks_have_the_published_sizes(preset: str) -> None:
    def parameters(name: str) -> int:
        with torch.device("meta"):
            network = value(preset, name, "network_def")
        return sum(parameter.numel() for parameter in network.parameters())

    assert parameters("autoencoder") == (19_073_665 if preset == "release" else 16_751_233)
    assert parameters("train") == 19_073_665


@pytest.fixture
def made(finished_run: Path, phantom_cohort: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what the three trainings of a preset are made of, on the small phantom."""
    preset = request.param
    overlay = [] if preset == "default" else [f"preset_{preset}.json"]
    more = overrides(phantom_cohort, finished_run)
    more |= {"stage1_path": None, "run_dir": str(finished_run / "presets"), "autoencoder_skips": preset == "release"}
    return {
        name: workflow(BUNDLE, [f"{name}.json", *overlay], more).parser.get_parsed_content
        for name in ("autoencoder", "classify", "train")
    }


@pytest.mark.parametrize("made", PRESETS, indirect=True)
def test_training(made: dict[str, Any]) -> None:
    for name in ("classify", "train"):
        get = made[name]
        scheduler, optimizer = get("lr_scheduler"), get("optimizer")
        assert type(optimizer).__name__ == "Adam"
        assert optimizer.defaults["lr"] == 0.001
        assert (type(scheduler).__name__, scheduler.step_size, scheduler.gamma) == ("StepLR", 40, 0.5)
    get = made["autoencoder"]
    plateau = get("lr_scheduler")
    assert (type(plateau).__name__, plateau.factor, plateau.patience) == ("ReduceLROnPlateau", 0.5, 20)
    assert (plateau.threshold, plateau.threshold_mode, plateau.min_lrs) == (1e-4, "abs", [1e-6])
    first, second = made["classify"]("method"), made["train"]("method")
    assert (first.lambda_rec, first.lambda_cls, second.lambda_rec, second.lambda_cls) == (0.0, 1.0, 1.0, 0.01)
    for name in ("autoencoder", "classify", "train"):
        get = made[name]
        evaluator = get("validate::evaluator")
        assert evaluator.network is get("method")  # validation corrupts as training does
        assert evaluator.state.key_metric_name == "loss"
        assert (evaluator.select_by, evaluator.larger_is_better) == ("loss", False)
    norms = [type(module).__name__ for module in second.modules() if "Norm" in type(module).__name__]
    released = type(second.corruption).__name__ == "OneOfFour"
    assert set(norms) == {"BatchStatisticsNorm" if released else "BatchNorm3d"}
    assert len(norms) == 15  # two per stage, and the head's


@pytest.mark.parametrize("made", PRESETS, indirect=True)
def test_restoration_is_measured_against_the_crop_before_all_corruption(made: dict[str, Any]) -> None:
    method = made["train"]("method")
    image = torch.rand(2, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    batch = {"image": image.clone(), "label": torch.tensor([0, 1])}
    output = method(batch, method.sample(batch, *[torch.Generator().manual_seed(1)] * 2))
    torch.testing.assert_close(batch["image"], image, rtol=0, atol=0)
    expected = (output["restored"] - image).square().flatten(1).mean(1)
    torch.testing.assert_close(output["restoration"], expected)


def test_the_name_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"only a name: preset_release\.json .* --preset release"):
        DiscoverySettings(crop_size=(8, 8, 8), preset="release")


def test_an_unknown_preset_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'papers' is unknown; take one of default, paper, release"):
        Chain(BUNDLE, {"preset": "papers"})


def test_intensities_that_make_no_sense_stop_before_anything_is_read() -> None:
    with pytest.raises(ValueError, match="'percentiles' is neither two numbers"):
        Chain(BUNDLE, {"intensity_range": "percentiles"})


def test_the_chain_names_the_overlay_in_its_commands() -> None:
    for line in Chain(BUNDLE, {"preset": "paper", "epochs": 3}).commands():
        assert "preset_paper.json" in line
        assert "--preset" not in line


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "release"])
def test_the_whole_chain_runs_with_a_preset(phantom_cohort: Path, tmp_path: Path, preset: str) -> None:
    more: dict[str, Any] = {"preset": preset, "num_discovered": 6, "num_classes": 4}
    if preset == "release":
        more |= {"coordinate_rules::border": [6, 6, 4], "coordinate_rules::max_tissue_share": 0.9}
    Chain(BUNDLE, overrides(phantom_cohort, tmp_path, **{**more, "num_classes": 4})).run()
    table = PatternTable.load(tmp_path / "patterns.json")
    assert (table.preset, table.grid["frame"]) == (preset, "voxel")
    assert len({row["reference"] for row in table.classes}) == {"paper": 1, "release": table.num_classes}[preset]
    assert (tmp_path / "models" / "model.pt").is_file()

"""The measures of the liver bundle equal those worked out without it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from monai.transforms import LoadImage, Orientation, ResampleToMatch

from monai_sg.metrics.overlap import MEASURES
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.utils.files import read_json, write_json
from tests.bundles.families.segmentation import EVALUATE, SMALL, run, weights, write_nifti

Table = dict[str, dict[str, float]]
TEST_CASES = (115, 116)
GRIDS: list[dict[str, Any]] = [{}, {"spacing": [8.0, 11.0, 7.0]}, {"image_size": [24, 40, -1]}]


def read_table(path: Path) -> Table:
    """Read a table of cases; an empty cell is NaN."""
    header, *lines = (line.split(",") for line in path.read_text().splitlines())
    assert header == ["case", *MEASURES]
    return {name: {m: float(v) if v else math.nan for m, v in zip(MEASURES, row, strict=True)} for name, *row in lines}


def network_of(finished: Path) -> GenesisUNet:
    network = GenesisUNet(spatial_dims=3, in_channels=1, out_channels=1, width=SMALL["width"]).eval()
    network.load_state_dict(weights(finished))
    return network


def triangles(values: np.ndarray, places: list[np.ndarray], steps: list[float]) -> np.ndarray:
    """Average what lies below a triangle around each place, as wide as the places are apart, but for finer grids."""
    for axis, (place, step) in enumerate(zip(places, steps, strict=True), start=1):
        length = values.shape[axis]
        distance = np.abs(place.clip(0, length - 1)[:, None] - np.arange(length))
        weight = (1 - distance / max(1.0, step)).clip(0)
        values = np.moveaxis(np.tensordot(weight / weight.sum(1, keepdims=True), values, (1, axis)), 0, axis)
    return values.astype(np.float32)


def probability(network: GenesisUNet, path: Path, grid: dict[str, Any]) -> np.ndarray:
    """Segment a scan step by step, and bring the probability back to the voxels of the file."""
    own = LoadImage(ensure_channel_first=True)(str(path))
    turned = Orientation(axcodes="RAS", labels=None)(own)
    shape, spacing, corner, steps = np.array(turned.shape[1:]), turned.pixdim.numpy(), 0.0, np.ones(3)
    if "spacing" in grid:
        steps = grid["spacing"] / spacing
    if "image_size" in grid:  # between outer faces rather than from centre to centre
        steps, corner = shape / np.array([*grid["image_size"][:2], shape[2]]), 0.5
    sizes = shape / steps if corner else (shape - 1) / steps + 1
    there = [(np.arange(round(size)) + corner) * step - corner for size, step in zip(sizes, steps, strict=True)]
    back = [(np.arange(length) + corner) / step - corner for length, step in zip(shape, steps, strict=True)]
    image = torch.from_numpy(triangles(np.asarray(turned), there, list(steps)))
    scaled = (image.clamp(-1000, 1000) + 1000) / 2000
    inferer = SlidingWindowInferer(roi_size=SMALL["roi_size"], sw_batch_size=1, overlap=0.5, mode="gaussian")
    with torch.no_grad():
        found = inferer(scaled[None], network)[0].sigmoid()
    found = triangles(found.numpy(), back, list(1 / steps))
    in_place = MetaTensor(torch.from_numpy(found), affine=turned.affine)
    return np.asarray(ResampleToMatch(mode="bilinear", padding_mode="border")(in_place, img_dst=own)[0])


def measures(above: Callable[[float], np.ndarray], truth: np.ndarray) -> dict[str, float]:
    def iou(one: np.ndarray, other: np.ndarray) -> float:
        return (one & other).sum() / (one | other).sum()

    half = above(0.5)
    dice = 2 * (half & truth).sum() / (half.sum() + truth.sum())
    both = [(iou(above(t), truth) + iou(~above(t), ~truth)) / 2 for t in np.arange(0.5, 0.951, 0.05)]
    return dict(zip(MEASURES, (iou(half, truth), dice, float(np.mean(both))), strict=True))


@pytest.mark.parametrize("grid", GRIDS, ids=["native", "spacing", "image_size"])
def test_cases_and_metrics_equal_those_worked_out_with_numpy(
    liver_cohort: Path, finished_liver: Path, tmp_path: Path, grid: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        get = run(EVALUATE, liver_cohort, tmp_path, ckpt_dir=str(finished_liver / "models"), **grid)
    table, network = read_table(tmp_path / "evaluation/cases.csv"), network_of(finished_liver)
    predictions, truths = [], []
    expected: Table = {}
    for number in TEST_CASES:
        predictions.append(probability(network, liver_cohort / f"volume-{number}.nii", grid))
        truths.append(np.isin(nibabel.load(liver_cohort / f"segmentation-{number}.nii").get_fdata(), [1, 2]))
        expected[f"volume-{number}"] = measures(lambda t: predictions[-1] >= np.float32(t), truths[-1])
    cases = {name: [row[name] for row in expected.values()] for name in MEASURES}
    expected["mean"] = {name: float(np.mean(values)) for name, values in cases.items()}
    expected["sd"] = {name: float(np.std(values, ddof=1)) for name, values in cases.items()}
    every, truth = (np.concatenate([one.ravel() for one in many]) for many in (predictions, truths))
    expected["pooled"] = measures(lambda t: every >= np.float32(t), truth)
    assert list(table) == list(expected)
    assert 0.02 < table["mean"]["dice@0.5"] < 1, "a comparison of nothing with nothing shows nothing"
    logged = get("validate::evaluator").state.metrics
    for name in MEASURES:
        for case, row in expected.items():
            assert table[case][name] == pytest.approx(row[name], abs=1e-6), (case, name)
        assert logged[name] == pytest.approx(expected["mean"][name], abs=1e-6)
        assert logged[f"{name}_pooled"] == pytest.approx(expected["pooled"][name], abs=1e-6)
        assert [f"{name}_pooled", f"{logged[f'{name}_pooled']:.4f}"] in [each.split() for each in caplog.messages]
    losses = [
        1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)
        for p, g in zip(map(np.float64, predictions), truths, strict=True)
    ]
    assert logged["loss"] == pytest.approx(np.mean(losses), abs=1e-6)


def silent(finished: Path, target: Path) -> Path:
    """Write weights that predict no foreground anywhere."""
    network = network_of(finished)
    torch.nn.init.zeros_(network.get_parameter("head.weight"))
    torch.nn.init.constant_(network.get_parameter("head.bias"), -9.0)
    target.mkdir()
    torch.save(network.state_dict(), target / "model.pt")
    return target


@pytest.fixture
def empty_labels(liver_cohort: Path, tmp_path: Path) -> Path:
    """The cohort with labels of scans 115 and 101 that hold nothing."""
    folder = tmp_path / "data"
    folder.mkdir()
    for path in liver_cohort.iterdir():
        (folder / path.name).symlink_to(path)
    for number in (101, 115):
        label = nibabel.load(path := folder / f"segmentation-{number}.nii")
        array, affine = np.zeros(label.shape, np.uint8), label.affine
        path.unlink()
        write_nifti(path, array, affine)
    return folder


def test_an_empty_label_that_is_found_empty_gives_empty_cells(
    empty_labels: Path, finished_liver: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "run"
    get = run(EVALUATE, empty_labels, output, ckpt_dir=str(silent(finished_liver, tmp_path / "models")))
    assert "volume-115: no voxel of the label has a value of {'liver': [1, 2]}" in caplog.text
    text = (output / "evaluation/cases.csv").read_text()
    assert "\nvolume-115,,,\n" in text
    table = read_table(output / "evaluation/cases.csv")
    assert table["mean"] == table["volume-116"]
    assert table["mean"]["dice@0.5"] == 0
    assert 0 < table["mean"]["mean_iou_bg_multithr"] < 0.5
    assert "\nsd,,,\n" in text, "one case has no deviation"
    assert get("validate::evaluator").state.metrics["dice@0.5"] == 0


def test_cases_without_any_foreground_do_not_end_an_evaluation(
    empty_labels: Path, finished_liver: Path, tmp_path: Path
) -> None:
    datalist = read_json(finished_liver / "datalist.json")
    datalist["test"] = datalist["test"][:1]
    write_json(tmp_path / "run/datalist.json", datalist)
    get = run(EVALUATE, empty_labels, tmp_path / "run", ckpt_dir=str(silent(finished_liver, tmp_path / "models")))
    assert (tmp_path / "run/evaluation/cases.csv").read_text().splitlines()[1:] == [
        f"{row},,," for row in ("volume-115", "mean", "sd", "pooled")
    ]
    assert math.isnan(get("validate::evaluator").state.metrics["dice@0.5"])


def test_evaluation_writes_nothing_but_its_tables_the_record_and_the_data_list(
    liver_cohort: Path, finished_liver: Path, tmp_path: Path
) -> None:
    run(EVALUATE, liver_cohort, tmp_path, ckpt_dir=str(finished_liver / "models"))
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"datalist.json", "evaluation/cases.csv", "evaluation/metrics.csv", "run.json"}

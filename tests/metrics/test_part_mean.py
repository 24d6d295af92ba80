from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from ignite.exceptions import NotComputableError
from ignite.metrics import Metric
from torch import nn

from monai_sg.metrics import restoration_error
from monai_sg.metrics.clean_accuracy import CleanAccuracy
from monai_sg.metrics.part_mean import PartMean
from monai_sg.metrics.restoration_error import REGIONS, RestorationError


def value_of(metric: Metric, *outputs: dict[str, Any]) -> float:
    metric.reset()
    for output in outputs:
        metric.update(metric._output_transform(output))
    result: float = metric.compute()
    return result


def part(*values: float) -> dict[str, Any]:
    return {"accuracy": torch.tensor(values), "size": len(values)}


def test_part_mean_counts_crops_and_not_batches() -> None:
    assert value_of(PartMean("accuracy"), part(1.0, 0.0, 0.0), part(1.0)) == 0.5
    with pytest.raises(NotComputableError, match="accuracy"):
        value_of(PartMean("accuracy"))


def test_part_mean_of_a_scalar_weighs_it_by_the_batch() -> None:
    batches = [{"loss": torch.tensor(v), "size": n} for v, n in ((1.0, 3), (5.0, 1))]
    metric = PartMean("loss")
    assert value_of(metric, *batches) == 2.0
    assert value_of(metric, batches[1]) == 5.0, "reset forgets"


def crop(values: list[float]) -> torch.Tensor:
    return torch.tensor(values).reshape(1, 1, 2, 2)


OUTPUT = {
    "image": crop([0.0, 0.4, 0.8, 0.4]),
    "corrupted": crop([1.0, 0.4, 0.795, 0.3]),
    "restored": crop([0.2, 0.5, 0.8, 0.1]),
}


@pytest.mark.parametrize(
    ("answer", "region", "expected"),
    [
        ("network", "all", (0.04 + 0.01 + 0.0 + 0.09) / 4),
        ("network", "inside", (0.04 + 0.09) / 2),
        ("network", "outside", (0.01 + 0.0) / 2),
        ("mean", "all", (0.16 + 0.0 + 0.16 + 0.0) / 4),
        ("mean", "inside", (0.16 + 0.0) / 2),
        ("mean", "outside", (0.0 + 0.16) / 2),
    ],
)
def test_restoration_error_of_a_crop_of_four_pixels(answer: str, region: str, expected: float) -> None:
    assert value_of(RestorationError(answer, region), OUTPUT) == pytest.approx(expected, abs=1e-7)
    assert value_of(RestorationError(answer, region), OUTPUT, OUTPUT) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("dims", [2, 3])
def test_median_answer_removes_a_lone_voxel(dims: int) -> None:
    image = torch.full((2, 1, *[5] * dims), 0.5)
    corrupted = image.clone()
    corrupted[(0, 0, *[2] * dims)] = 1.0
    output = {"image": image, "corrupted": corrupted, "restored": corrupted}
    assert value_of(RestorationError("network", "inside"), output) == pytest.approx(0.25)
    assert value_of(RestorationError("median", "inside"), output) == 0.0
    assert value_of(RestorationError("network", "all"), output) == pytest.approx(0.25 / (2 * 5**dims))


def test_the_median_is_taken_once_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[torch.Tensor] = []
    median_filter = restoration_error.median_filter

    def counted(crops: torch.Tensor, *size: int, **more: int) -> torch.Tensor:
        taken.append(crops)
        return median_filter(crops, *size, **more)

    monkeypatch.setattr(restoration_error, "median_filter", counted)
    outputs = [{name: torch.rand(2, 1, 5, 5) for name in OUTPUT} for _ in range(2)]
    metrics = [RestorationError("median", region) for region in REGIONS]
    for output in outputs:
        for metric in metrics:
            metric.update(metric._output_transform(output))
    assert [crops.tolist() for crops in taken] == [output["corrupted"].tolist() for output in outputs]
    expected = median_filter(torch.cat([output["corrupted"] for output in outputs]), 3, spatial_dims=2)
    image = torch.cat([output["image"] for output in outputs])
    assert metrics[0].compute() == pytest.approx(float((expected - image).square().mean()))


def test_restoration_error_weighs_voxels_of_all_batches_alike() -> None:
    whole = value_of(RestorationError(), {name: value.repeat(3, 1, 1, 1) for name, value in OUTPUT.items()})
    assert whole == pytest.approx(0.035)
    other = {name: torch.zeros(1, 1, 4, 4) for name in OUTPUT}
    assert value_of(RestorationError(), OUTPUT, other) == pytest.approx(0.14 / 20)


def test_restoration_error_of_a_region_without_voxels_is_not_a_number_but_an_error() -> None:
    same = dict.fromkeys(OUTPUT, OUTPUT["image"])
    with pytest.raises(NotComputableError, match="inside"):
        value_of(RestorationError(region="inside"), same)
    for wrong in ({"answer": "zero"}, {"region": "edge"}):
        with pytest.raises(ValueError, match="must be one of"):
            RestorationError(**wrong)


class FirstPixel(nn.Module):
    """Says that the label is the value of the first pixel, and remembers in which mode it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: list[bool] = []

    def classify(self, image: torch.Tensor) -> torch.Tensor:
        self.modes.append(self.training)
        return nn.functional.one_hot(image[:, 0, 0, 0].long(), 4).float()


def labelled(predicted: list[int], label: list[int]) -> dict[str, torch.Tensor]:
    image = torch.tensor(predicted, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return {"image": image, "label": torch.tensor(label)}


def test_clean_accuracy_is_the_mean_recall_of_the_classes_that_occur() -> None:
    method = FirstPixel()
    metric = CleanAccuracy(method, num_classes=4)  # type: ignore[arg-type]
    batches = [labelled([0, 0, 1, 2], [0, 0, 0, 1]), labelled([1, 0], [1, 2])]
    assert value_of(metric, *batches) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert method.training
    assert method.modes == [False, False], "crops are classified in evaluation mode"
    with pytest.raises(NotComputableError):
        value_of(metric)


def test_clean_accuracy_is_one_over_c_for_a_constant_answer() -> None:
    metric = CleanAccuracy(FirstPixel(), num_classes=4)  # type: ignore[arg-type]
    assert value_of(metric, labelled([3] * 7, [0, 1, 2, 3, 3, 3, 3])) == 0.25
    assert math.isclose(value_of(metric, labelled([1, 2], [1, 2])), 1.0)

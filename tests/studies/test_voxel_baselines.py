from __future__ import annotations

import pytest
import torch

from monai_sg.studies.voxel_baselines import fit_baselines


def dice(one: torch.Tensor, other: torch.Tensor) -> float:
    mask, truth = one >= 0.5, other > 0
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


@pytest.mark.parametrize("shape", [(24, 20, 16), (60, 50)])
def test_each_baseline_finds_what_it_can_see(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, *shape, generator=generator)
    half = torch.zeros(1, *shape)
    half[:, : shape[0] // 2] = 1
    for label, good in [
        ((image > 0.7).float(), {"best threshold", "position and intensity"}),
        ((image < 0.3).float(), {"best threshold", "position and intensity"}),
        (half, {"position", "position and intensity"}),
        (half * (image > 0.5), {"position and intensity"}),
    ]:
        found = {name: dice(predict(image), label) for name, predict in fit_baselines([(image, label)]).items()}
        assert {name for name, value in found.items() if value > 0.95} == good, found


def test_threshold_is_that_of_all_cases_together() -> None:
    cases = [
        (torch.tensor([[0.1, 0.4, 0.6, 0.9]]), torch.tensor([[0, 0, 1, 1]])),
        (torch.tensor([[0.5, 0.5, 0.5, 0.8]]), torch.tensor([[0, 0, 0, 1]])),
    ]
    predict = fit_baselines(cases)["best threshold"]
    assert predict(torch.tensor([[0.5, 0.59, 0.61, 1.0]])).tolist() == [[0, 1, 1, 1]]


def test_structures_and_channels_are_answered_for_themselves() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 24, 20, generator=generator)
    label = torch.stack([image[1] > 0.6, image[0] < 0.2]).float()
    found = fit_baselines([(image, label)])["best threshold"](image)
    assert found.shape == label.shape
    assert min(dice(one, other) for one, other in zip(found, label, strict=True)) > 0.95

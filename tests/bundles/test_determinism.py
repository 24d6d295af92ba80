"""``deterministic`` switches what PyTorch has to switch, whatever was set before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.bundles.folders import NAMES, workflow


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    cudnn = torch.backends.cudnn
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    flags = cudnn.deterministic, cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(before[0], warn_only=before[1])
    cudnn.deterministic, cudnn.benchmark = flags


@pytest.mark.parametrize("bundle", NAMES)
@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize(("device", "warns"), [("cpu", False), ("cuda:0", True)])
def test_kernels_are_deterministic_where_asked_for_and_a_gpu_goes_on_without_some(
    tmp_path: Path, bundle: str, deterministic: bool, device: str, warns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monai_sg.runs.place_check._check_device", lambda device: None)
    torch.use_deterministic_algorithms(not deterministic)
    values = {"dataset_dir": str(tmp_path), "output_dir": str(tmp_path), "device": device}
    workflow(bundle, ["train.json"], {**values, "deterministic": deterministic})
    assert torch.are_deterministic_algorithms_enabled() is deterministic
    assert torch.is_deterministic_algorithms_warn_only_enabled() is warns
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (deterministic, not deterministic)

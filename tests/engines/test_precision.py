from __future__ import annotations

import pytest
import torch

from monai_sg.engines.precision import amp_default, amp_dtype, autocast, gradient_scaler

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "supported", "expected"),
    [(CPU, False, torch.bfloat16), (GPU, True, torch.bfloat16), (GPU, False, torch.float16)],
)
def test_half_precision_suits_the_device(
    monkeypatch: pytest.MonkeyPatch, device: torch.device, supported: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert amp_dtype(device) == expected


@pytest.mark.parametrize(("enabled", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_networks_run_in_half_precision_where_it_is_on(enabled: bool, expected: torch.dtype) -> None:
    convolution = torch.nn.Conv3d(1, 2, 3)
    with autocast(CPU, enabled):
        assert convolution(torch.zeros(1, 1, 4, 4, 4)).dtype == expected


def test_gradients_are_scaled_for_float16_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_sg.engines.precision.amp_dtype", lambda device: torch.float16)
    assert gradient_scaler(CPU, amp=True).is_enabled()
    assert not gradient_scaler(CPU, amp=False).is_enabled()
    monkeypatch.setattr("monai_sg.engines.precision.amp_dtype", lambda device: torch.bfloat16)
    assert not gradient_scaler(CPU, amp=True).is_enabled()


def test_mixed_precision_is_the_default_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert amp_default("cuda:1")
    for instructions, expected in (({"avx512_bf16": True}, True), ({"avx2": True}, False), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=instructions: found, raising=False)
        assert amp_default("cpu") is expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert amp_default(CPU) is False

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from monai_sg.engines.precision import amp_default, amp_dtype, autocast, gradient_scaler, needs_scaler

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "capability", "expected"),
    [(CPU, 7, torch.bfloat16), (GPU, 8, torch.bfloat16), (GPU, 7, torch.float16)],
)
def test_half_precision_suits_the_device(
    monkeypatch: pytest.MonkeyPatch, device: torch.device, capability: int, expected: torch.dtype
) -> None:
    # PyTorch itself decides; a GPU before capability 8 emulates bfloat16, slower than float32.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(major=capability))
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    assert amp_dtype(device) == expected


@pytest.mark.parametrize(("enabled", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_networks_run_in_half_precision_where_it_is_on(enabled: bool, expected: torch.dtype) -> None:
    convolution = torch.nn.Conv3d(1, 2, 3)
    with autocast(CPU, enabled):
        assert convolution(torch.zeros(1, 1, 4, 4, 4)).dtype == expected


def test_gradients_are_scaled_for_float16_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_sg.engines.precision.amp_dtype", lambda device: torch.float16)
    assert needs_scaler("cpu", amp=True)
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

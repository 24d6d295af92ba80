"""Automatic mixed precision that suits the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer


def amp_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the device computes with it (CPUs, recent GPUs), else float16."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return torch.bfloat16


def autocast(device: torch.device, enabled: bool) -> torch.autocast:
    """Make the context in which networks run; unlike MONAI's own, it serves any device."""
    return torch.autocast(device.type, dtype=amp_dtype(device), enabled=enabled)


def needs_scaler(device: torch.device | str, amp: bool) -> bool:
    """Return whether small gradients would vanish in mixed precision, as they do in float16 only."""
    return amp and amp_dtype(torch.device(device)) == torch.float16


def gradient_scaler(device: torch.device, amp: bool) -> torch.amp.GradScaler:
    """Make a gradient scaler that is active where it is needed."""
    return torch.amp.GradScaler(device.type, enabled=needs_scaler(device, amp))


def amp_default(device: torch.device | str) -> bool:
    """Return whether mixed precision pays on the device: GPUs, and CPUs with bfloat16 instructions."""
    if torch.device(device).type == "cuda":
        return True
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16", False))


def in_precision(inferer: Inferer, device: torch.device, enabled: bool) -> Callable[..., torch.Tensor]:
    """Return an inferer whose network runs in mixed precision, while all that it gives is float32 again.

    Windows are therefore merged in float32. MONAI's engines, whose own mixed precision is for CUDA only, use it on
    every device.

    Args:
        inferer: calls the network.
        device: where the network is.
        enabled: whether mixed precision is on.
    """

    def infer(inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> torch.Tensor:
        def predict(image: torch.Tensor, *more: Any, **options: Any) -> torch.Tensor:
            with autocast(device, enabled):
                return network(image, *more, **options).float()

        return inferer(inputs, predict, *args, **kwargs)

    return infer

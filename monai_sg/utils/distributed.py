"""Facts about the process group that hold with and without one.

Ignite's ``idist`` keeps the group that it saw first and raises once that is destroyed, as the last step of a bundle
does and as MONAI, which asks ``torch.distributed``, expects; nor does it gather objects.
"""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

T = TypeVar("T")


def rank() -> int:
    """Return the rank of this process, 0 without a process group."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes, 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside ``DistributedDataParallel``, or ``module`` itself."""
    return module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module


def share_buffers(module: nn.Module) -> None:
    """Give all ranks the buffers of rank 0, such as running means, which each rank takes from its own crops."""
    if world_size() > 1:
        for buffer in module.buffers():
            dist.broadcast(buffer, src=0)


def all_sum(value: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over all ranks."""
    value = value.clone()
    if world_size() > 1:
        dist.all_reduce(value)
    return value


def gathered(value: T) -> list[T]:
    """Return the value of each rank, in their order, on every rank; tensors in it must lie on the CPU."""
    values = [value] * world_size()
    if world_size() > 1:
        dist.all_gather_object(values, value)
    return values


def barrier() -> None:
    """Wait until all processes are here; returns at once without a process group."""
    if world_size() > 1:
        dist.barrier()

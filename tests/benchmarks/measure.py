"""Seconds and memory of a piece of work, and the machine they were measured on."""

from __future__ import annotations

import argparse
import gc
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import monai
import torch

ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "536870912"}
"""Variables under which glibc keeps what PyTorch frees instead of asking the system for it again in every step."""


def synchronize(device: str) -> None:
    """Wait for a GPU, which computes behind Python's back."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], object], device: str = "cpu") -> float:
    """Time one call."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def best_seconds(works: Mapping[str, Callable[[], object]], repeats: int, device: str = "cpu") -> dict[str, float]:
    """Time each work ``repeats`` times after a call to warm up, and keep the shortest.

    The works take turns, so that whatever else the machine does slows all of them.
    """
    for work in works.values():
        work()
    rounds = [{name: seconds_of(work, device) for name, work in works.items()} for _ in range(repeats)]
    return {name: min(seconds[name] for seconds in rounds) for name in works}


def reset_peak(device: str) -> None:
    """Forget the peak of the memory so far; on a CPU this needs Linux, elsewhere the peak of the process stays."""
    gc.collect()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb(device: str) -> float:
    """Return the peak of the process on a CPU, libraries included, or of the tensors on a GPU, in MB."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cpu_model() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def machine(args: argparse.Namespace) -> dict[str, Any]:
    """Describe what the figures depend on."""
    return {
        "cpu": f"{cpu_model()}, {torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores",
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "monai": monai.__version__,
        "allocator": {name: os.environ[name] for name in ALLOCATOR if name in os.environ},
        "load_average": os.getloadavg()[0],
    }

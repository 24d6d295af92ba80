"""The operators in which a training step spends its time."""

from __future__ import annotations

import argparse

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from monai_sg.engines.precision import amp_default
from monai_sg.transforms.identity import Identity

from .measure import synchronize
from .table import Row
from .training import Settings, example, method_of, step

GROUP = "profile"
LARGEST = 10


def rows(args: argparse.Namespace) -> list[Row]:
    """Profile one step after two to warm up, and return the operators with the largest share of its time."""
    settings = Settings(amp_default(args.device), channels_last=True, threads=args.threads)
    work = step(method_of(args, Identity()), example(args), settings)
    work()
    work()
    synchronize(args.device)
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if args.device == "cuda" else [])
    with profile(activities=activities) as recorded:
        work()
        synchronize(args.device)
    field = "self_device_time_total" if args.device == "cuda" else "self_cpu_time_total"
    operators = [event for event in recorded.key_averages() if event.device_type == DeviceType.CPU]  # not the kernels
    times = {event.key: (getattr(event, field), event.count) for event in operators}
    total = sum(time for time, _ in times.values())
    largest = sorted(times, key=lambda name: -times[name][0])[:LARGEST]
    return [
        Row(
            GROUP,
            name,
            100 * times[name][0] / total,
            "%",
            note=f"{times[name][0] / 1e3:.1f} ms, {times[name][1]} calls",
        )
        for name in largest
    ]

"""Each way of making the step faster, beside the step without it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace

import torch

from monai_sg.engines.precision import amp_default
from monai_sg.transforms.identity import Identity

from .arguments import parser
from .measure import ALLOCATOR, best_seconds
from .table import Row, compared, skipped
from .training import Settings, example, method_of, step

GROUP = "variants"


def rows(args: argparse.Namespace) -> list[Row]:
    """Time the step with and without each variant; all take turns."""
    usual = Settings(amp=amp_default(args.device), channels_last=True, threads=args.threads)
    wanted, left_out = _variants(args, usual)
    states = dict.fromkeys(state for pair in wanted.values() for state in pair)
    batch = example(args)
    works = {str(state): step(method_of(args, Identity()), batch, state) for state in states}
    speeds = {name: args.batch / seconds for name, seconds in best_seconds(works, args.repeats, args.device).items()}
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(False)
    found = [compared(GROUP, name, speeds[str(on)], "crops/s", speeds[str(off)]) for name, (off, on) in wanted.items()]
    if args.device == "cpu":
        found.append(_allocator(args))
    return found + [skipped(GROUP, name, reason) for name, reason in left_out.items()]


def _variants(args: argparse.Namespace, usual: Settings) -> tuple[dict[str, tuple[Settings, Settings]], dict[str, str]]:
    """Return the settings off and on of each variant, and why others are left out."""
    pairs = {
        "channels_last_3d": (replace(usual, channels_last=False), usual),
        "fused Adam": (usual, replace(usual, fused=True)),
    }
    left_out = {}
    if usual.amp:
        pairs["bfloat16"] = (replace(usual, amp=False), usual)
    else:
        left_out["bfloat16"] = "PyTorch finds no bfloat16 instructions on this CPU"
    if args.compile:
        pairs["torch.compile"] = (usual, replace(usual, compile=True))
    else:
        left_out["torch.compile"] = "needs --compile"
    if args.device == "cpu":
        pairs["deterministic algorithms"] = (usual, replace(usual, deterministic=True))
        cores, load = os.cpu_count() or 1, os.getloadavg()[0]
        work = f"{cores} threads instead of {args.threads}"
        if load > args.threads + 0.5:  # threads wait for each other, so one busy core slows all of them
            left_out[work] = f"needs idle cores; the load is {load:.1f}"
        elif cores > args.threads:
            pairs[work] = (usual, replace(usual, threads=cores))
    return pairs, left_out


def _allocator(args: argparse.Namespace) -> Row:
    """Time the step in processes with and without the variables, which are read at the start, twice in turn."""
    without = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
    environments = {"off": without, "on": {**without, **ALLOCATOR}}
    names = ("width", "size", "batch", "threads", "repeats")
    given = [word for name in names for word in (f"--{name}", *str(getattr(args, name)).strip("[]").split(", "))]
    command = [sys.executable, "-m", f"{__package__}.variants", *given]
    speeds = dict.fromkeys(environments, 0.0)
    for name in [*environments, *environments]:
        done = subprocess.run(command, env=environments[name], stdout=subprocess.PIPE, text=True, check=True)
        speeds[name] = max(speeds[name], float(done.stdout))
    note = "in processes of their own"
    return compared(GROUP, "allocator variables", speeds["on"], "crops/s", speeds["off"], note=note)


def main() -> None:
    """Print the crops per second of the step in this process."""
    args = parser().parse_args()
    work = step(method_of(args, Identity()), example(args), Settings(channels_last=True, threads=args.threads))
    sys.stdout.write(f"{args.batch / best_seconds({'': work}, args.repeats)['']}\n")


if __name__ == "__main__":
    main()

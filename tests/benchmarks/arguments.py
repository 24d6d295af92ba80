"""The arguments of the benchmarks; the defaults are for two slow CPU cores and take minutes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def parser(groups: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Make the parser of the arguments that all groups share."""
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure speed and memory.")
    made.add_argument("--groups", nargs="+", choices=groups, default=list(groups), help="all if not given")
    made.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    made.add_argument("--threads", type=int, default=1, help="of PyTorch, on a CPU")
    made.add_argument("--workers", type=int, default=0, help="of the data loader, where all of a step is timed")
    made.add_argument("--repeats", type=int, default=3, help="times that most work is timed")
    made.add_argument("--batch", type=int, default=16, help="crops of a batch")
    made.add_argument("--width", type=int, default=8, help="of the network; 32 is the published one")
    made.add_argument("--size", type=int, nargs=3, default=[32, 32, 16], help="voxels of a crop of a step")
    made.add_argument("--corruption-size", type=int, nargs=3, default=[64, 64, 32], help="of a crop to corrupt alone")
    made.add_argument("--crops", type=int, default=64, help="in the comparison of the two shuffles")
    made.add_argument("--volume", type=int, nargs=3, default=[512, 512, 200], help="voxels of the volume of the cache")
    made.add_argument("--patch-volume", type=int, nargs=3, default=[256, 256, 200], help="of the labelled image")
    made.add_argument("--features", type=int, default=1_000_000, help="images among which neighbours are searched")
    made.add_argument("--data", nargs="+", help="folders of images for the formats of the cache")
    made.add_argument(
        "--compile", action="store_true", help="also measure torch.compile, which takes a minute to start"
    )
    made.add_argument("--profile", action="store_true", help="also print the ten most expensive operators of a step")
    made.add_argument("--json", help="file for machine, arguments and rows")
    return made

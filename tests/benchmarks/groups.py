"""The groups of the benchmarks, each run in a process of its own, so that its peak of memory is its own."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

import torch

from . import cache, corruption, discovery, formats, patches, step, variants
from .table import Row

Result = TypeVar("Result")

GROUPS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "corruption": corruption.rows,
    "step": step.rows,
    "variants": variants.rows,
    "cache": cache.rows,
    "formats": formats.rows,
    "patches": patches.rows,
    "discovery": discovery.rows,
}


def alone(work: Callable[[argparse.Namespace], Result], args: argparse.Namespace) -> Result:
    """Run ``work(args)`` in a process of its own: a copy of this one on a CPU, a fresh one on a GPU, which needs it."""
    context = multiprocessing.get_context("fork" if args.device == "cpu" else "spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(_prepared, work, args).result()


def _prepared(work: Callable[[argparse.Namespace], Result], args: argparse.Namespace) -> Result:
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True  # as in training
    return work(args)

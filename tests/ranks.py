"""Several processes of a process group, for tests."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

from torch.multiprocessing.spawn import start_processes

# Importing MONAI takes seconds; the server does it once, and each process is a fork of it.
IMPORTED = ["monai.bundle.workflows", "monai.engines", "monai.networks.nets", "torch.utils.tensorboard"]


def run_ranks(function: Callable[..., None], *arguments: Any, ranks: int = 2) -> None:
    """Call a function of a module with the number of the process and the arguments, in new processes at once."""
    multiprocessing.set_forkserver_preload([*IMPORTED, function.__module__])
    start_processes(function, arguments, nprocs=ranks, start_method="forkserver")

"""Measure what the package does beside the plain way of doing it: ``python -m tests.benchmarks --help``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from monai_sg.utils.files import write_json

from . import profiling
from .arguments import parser
from .groups import GROUPS, alone
from .measure import machine
from .table import Row, table


def main(given: Sequence[str] | None = None) -> None:
    """Print one Markdown table per group, and write all rows to a file."""
    args = parser(list(GROUPS)).parse_args(given)
    about = alone(machine, args)
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    found: list[Row] = []
    groups = {name: GROUPS[name] for name in args.groups}
    if args.profile:
        groups["profile"] = profiling.rows
    for name, rows in groups.items():
        start = time.perf_counter()
        found += (new := alone(rows, args))
        print(f"\n## {name} ({time.perf_counter() - start:.0f} s)\n\n{table(new)}", flush=True)
    if args.json is not None:
        write_json(args.json, {"machine": about, "arguments": vars(args), "rows": [asdict(row) for row in found]})


if __name__ == "__main__":
    main()

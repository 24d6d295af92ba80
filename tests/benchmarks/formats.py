"""The formats of the volume cache that `cache_formats` compares, beside the memory map that the package uses."""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path

from . import cache_formats
from .table import Row, compared, skipped

GROUP = "formats"


def rows(args: argparse.Namespace) -> list[Row]:
    """Measure size, writing and reading; needs real scans, because noise does not pack as they do."""
    missing = [name for name in ("blosc2", "zarr") if find_spec(name) is None]
    if args.data is None or missing:
        reason = f"{' and '.join(missing)} not installed" if missing else "needs --data, folders of CT scans"
        return [skipped(GROUP, "formats of the cache", reason)]
    with tempfile.TemporaryDirectory() as name:
        arrays = cache_formats.volumes([Path(folder) for folder in args.data], Path(name) / "cache")
        measured = cache_formats.measure(arrays, Path(name))
    found = []
    for row in measured:
        note = f"cold {row['cold_boxes_per_second']:.0f} boxes/s, {100 * row['size']:.0f} % of the size"
        found.append(
            compared(
                GROUP,
                row["format"],
                row["warm_boxes_per_second"],
                "boxes/s",
                measured[0]["warm_boxes_per_second"],
                note=note,
            )
        )
    return found

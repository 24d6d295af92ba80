"""What a scan of a folder found, in a few lines however many files there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.datasets.inspection import Found
from ..data.window_fit import Quantiles

FEW = 3
UNLIKE = 4.0
LEAST_COMPARED = 3
TINY = 1e-12


@dataclass(frozen=True)
class Seen:
    """An image that was read: quantiles of its foreground, or why it cannot be used after all."""

    quantiles: Quantiles = ()
    reason: str = ""


def format_rows(found: Sequence[Found], seen: Mapping[int, Seen]) -> list[dict[str, object]]:
    """Return a row per format: number of images, size in voxels, spacing in mm, and values of those that were read."""
    rows: list[dict[str, object]] = []
    for kind in dict.fromkeys(item.kind for item in found):
        places = [place for place, item in enumerate(found) if item.kind == kind]
        values = [seen[place].quantiles for place in places if place in seen and seen[place].quantiles]
        ends = [f"{min(each[0] for each in values):.4g}", f"{max(each[-1] for each in values):.4g}"] if values else []
        rows.append(
            {
                "format": kind,
                "images": len(places),
                "size (voxels)": _range([found[place].header.shape for place in places]),
                "spacing (mm)": _range([found[place].header.spacing for place in places]),
                "values": " to ".join(ends) or "not read",
            }
        )
    return rows


def _range(rows: Sequence[Sequence[float]]) -> str:
    """Return least and greatest value per axis; images of another number of axes than the first are left aside."""
    array = np.array([row for row in rows if len(row) == len(rows[0])])
    pairs = zip(array.min(axis=0), array.max(axis=0), strict=True)
    return " x ".join(f"{low:.4g}" if np.isclose(low, high) else f"{low:.4g}-{high:.4g}" for low, high in pairs)


def text_table(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return rows as lines of text in columns."""
    if not rows:
        return []
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def left_out_lines(skipped: Sequence[Mapping[str, str]]) -> list[str]:
    """Return what was left out; many reasons that differ in numbers only become one line with their number."""
    groups: dict[str, list[Mapping[str, str]]] = {}
    for item in skipped:
        groups.setdefault(re.sub(r"\d[\d.]*", "#", item["reason"]), []).append(item)
    lines = []
    for group in groups.values():
        if len(group) <= FEW:
            lines += [f"{item['path']}: {item['reason']}" for item in group]
        else:
            first, last = group[0], group[-1]
            lines.append(f"{len(group)} from {first['path']} to {last['path']}: the first {first['reason']}")
    return lines


def oddities(found: Sequence[Found], seen: Mapping[int, Seen]) -> dict[int, list[str]]:
    """Return by place what a person should look at: notes of the reader, and what differs from most others."""
    odd: dict[int, list[str]] = {}
    for place, item in enumerate(found):
        notes = [item.oddity] if item.oddity else []
        notes += [f"{item.unoriented}; its axes are taken as stored"] if item.unoriented else []
        if place in seen and seen[place].reason:
            notes.append(f"will be left out: it {seen[place].reason}")
        odd[place] = notes
    _compare_spacings(odd, found)
    _compare_values(odd, {place: one.quantiles for place, one in seen.items() if one.quantiles})
    return {place: notes for place, notes in odd.items() if notes}


def _apart(quantiles: Quantiles, usual: np.ndarray) -> bool:
    """Return whether less than half of the usual range is shared."""
    shared = min(quantiles[-1], usual[1]) - max(quantiles[0], usual[0])
    return bool(shared < 0.5 * (usual[1] - usual[0]))


def _compare_values(odd: dict[int, list[str]], ranges: Mapping[int, Quantiles]) -> None:
    """Note images whose values have another range than most."""
    if len(ranges) < LEAST_COMPARED:
        return
    usual = np.median([[each[0], each[-1]] for each in ranges.values()], axis=0)
    for place, each in ranges.items():
        ratio = (each[-1] - each[0] + TINY) / (usual[1] - usual[0] + TINY)
        if not 1 / UNLIKE < ratio < UNLIKE or _apart(each, usual):
            odd[place].append(
                f"has values from {each[0]:.4g} to {each[-1]:.4g}; most have {usual[0]:.4g} to {usual[1]:.4g}"
            )


def _compare_spacings(odd: dict[int, list[str]], found: Sequence[Found]) -> None:
    """Note images whose voxels are several times larger or smaller than most."""
    if len(found) < LEAST_COMPARED:
        return
    sizes = [float(np.prod(item.header.spacing)) ** (1 / item.num_axes) for item in found]
    usual = float(np.median(sizes))
    for place, size in enumerate(sizes):
        if not 1 / UNLIKE < size / usual < UNLIKE:
            odd[place].append(f"has voxels of about {size:.3g} mm; most have about {usual:.3g} mm")

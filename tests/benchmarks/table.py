"""Rows of the benchmarks: what was measured, beside the same work done the plain way and beside the target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEADER = ("work", "measured", "reference", "ratio", "target", "met", "note")


@dataclass(frozen=True)
class Row:
    """One measurement; ``value`` and ``reference`` have the same unit, ``ratio`` says how many times better is ours.

    What could not be measured has no value and says why in its note.
    """

    group: str
    work: str
    value: float | None
    unit: str
    reference: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""


def compared(
    group: str,
    work: str,
    value: float,
    unit: str,
    reference: float,
    *,
    target: float | None = None,
    limit: float | None = None,
    note: str = "",
) -> Row:
    """Compare with the reference: more is better for rates (units that end in ``/s``), less for all others.

    The target is a ratio, or a limit of the value itself.
    """
    ratio = value / reference if unit.endswith("/s") else reference / value
    if target is not None:
        return Row(group, work, value, unit, reference, ratio, f"≥ {target:g}×", ratio >= target, note)
    if limit is not None:
        return Row(group, work, value, unit, reference, ratio, _at_most(limit, unit), value <= limit, note)
    return Row(group, work, value, unit, reference, ratio, note=note)


def limited(group: str, work: str, value: float, unit: str, limit: float, note: str = "") -> Row:
    """Compare with a limit that must not be passed."""
    return Row(group, work, value, unit, target=_at_most(limit, unit), met=value <= limit, note=note)


def skipped(group: str, work: str, reason: str) -> Row:
    """Say why something was not measured."""
    return Row(group, work, None, "", note=reason)


def _at_most(limit: float, unit: str) -> str:
    return f"≤ {limit:g} {unit}".strip()


def number(value: float) -> str:
    """Write a number with three significant digits, and never with an exponent."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:.0f}"
    digits = next(digits for digits in range(1, 12) if abs(value) >= 10 ** (2 - digits) or digits == 11)
    return f"{value:.{digits}f}"


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay out a table; columns without any entry are left out."""
    lines = list(lines)
    used = [column for column in range(len(header)) if any(line[column] for line in lines)]
    texts = [[line[column] for column in used] for line in (header, *lines)]
    widths = [max(3, *(len(text[column]) for text in texts)) for column in range(len(used))]
    rows = [[cell.ljust(width) for cell, width in zip(text, widths, strict=True)] for text in texts]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def table(rows: Sequence[Row]) -> str:
    """Return the Markdown table of the rows of one group."""
    return markdown(HEADER, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    def with_unit(value: float | None) -> str:
        return "" if value is None else f"{number(value)} {row.unit}".strip()

    ratio = "" if row.ratio is None else f"{number(row.ratio)}×"
    met = {None: "", True: "yes", False: "no"}[row.met]
    return [row.work, with_unit(row.value), with_unit(row.reference), ratio, row.target, met, row.note]

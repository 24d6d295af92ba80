"""Before data is read: do the settings of a run have the form that they need?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from ..utils.errors import UserError

AXES = ("LR", "AP", "IS")
KEEP = -1

Wanted = tuple[str, Any, str]


def check_settings(
    spatial_dims: int,
    sizes: Mapping[str, Any] | None = None,
    grids: Mapping[str, Any] | None = None,
    orientation: Any = None,
    labels: Mapping[str, Any] | None = None,
    counts: Mapping[str, Any] | None = None,
    structures: Any = None,
) -> None:
    """Refuse settings of the wrong type or number of axes; each argument but the first maps an id to its value.

    Args:
        spatial_dims: 2 or 3.
        sizes: voxels along each axis.
        grids: mm or voxels along each axis, -1 for one that is kept; empty or ``None`` changes no axis.
        orientation: the value of ``orientation`` itself, axis codes such as ``RAS``; pictures have none.
        labels: values of label maps; may be empty or ``None``.
        counts: numbers of at least 1.
        structures: the value of ``structures`` itself, name to label values.

    Raises:
        ValueError: a setting does not fit; a sentence for each says its value and what to write.
    """
    if spatial_dims not in (2, 3):
        raise UserError(f"spatial_dims = {spatial_dims!r} is unknown; write 2 for pictures or 3 for volumes.")
    wanted = [*_of_axes(spatial_dims, sizes or {}, grids or {}), *_of_values(labels or {}, counts or {})]
    if orientation is not None and spatial_dims == 3 and not _is_orientation(orientation):
        wanted.append(("orientation", orientation, "a letter of each of L or R, A or P, I or S, such as RAS"))
    if structures is not None and not _is_structures(structures):
        wanted.append(("structures", structures, "names with their label values, such as {'liver': [1, 2]}"))
    if wanted:
        raise UserError(" ".join(f"{name} = {value!r} does not fit: write {text}." for name, value, text in wanted))


def _of_axes(spatial_dims: int, sizes: Mapping[str, Any], grids: Mapping[str, Any]) -> Iterator[Wanted]:
    along = f"along each of the {spatial_dims} axes (spatial_dims {spatial_dims})"
    for name, value in sizes.items():
        if not _is_list(value, Integral, spatial_dims) or min(value) < 1:
            yield name, value, f"whole numbers of voxels {along}, such as {[64] * spatial_dims}"
    for name, value in grids.items():
        if value and not (_is_list(value, Real, spatial_dims) and all(each == KEEP or each > 0 for each in value)):
            yield name, value, f"a number above 0, or -1 to keep it, {along}; [] changes nothing"


def _of_values(labels: Mapping[str, Any], counts: Mapping[str, Any]) -> Iterator[Wanted]:
    for name, value in labels.items():
        if value is not None and not _is_list(value, Integral):
            yield name, value, "a list of whole numbers, such as [1]"
    for name, value in counts.items():
        if not _is_number(value, Integral) or value < 1:
            yield name, value, "a whole number of at least 1"


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _is_list(value: Any, kind: type, length: int | None = None) -> bool:
    """Return whether a value is a list of such numbers."""
    if isinstance(value, str) or not isinstance(value, Sequence) or length not in (None, len(value)):
        return False
    return all(_is_number(each, kind) for each in value)


def _is_orientation(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 3 and all(len(set(axis) & set(value)) == 1 for axis in AXES)


def _is_structures(value: Any) -> bool:
    return (
        isinstance(value, Mapping) and bool(value) and all(_is_list(each, Integral) and each for each in value.values())
    )

"""DICOM series: which slices form a volume, which do not belong to it, and why a series cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .dicom import Slice, is_dicom, read_pixels, read_slice
from .formats import UnusableImageError
from .opened import MAX_TILT_DEGREES, MIN_SLICES, OpenImage, opened

GAP_TOLERANCE = 0.1
UNIT_LENGTH = 0.01
MAX_NAMED = 3

Odd = dict[str, str]
"""Why images of a series do not belong to its volume, by file."""


def open_series(folder: Path, series: str | None) -> OpenImage:
    """Describe the volume of one series in a folder; without a name that of the only one.

    Raises:
        UnusableImageError: see `slices_of_series`.
    """
    return volume_of(slices_of_series(folder, series or ""))


def volume_of(ordered: Sequence[Slice]) -> OpenImage:
    """Describe the volume of ordered slices; of a tilted gantry it is straightened, see `opened`."""
    shape = (*ordered[0].shape, len(ordered))
    return opened(shape, series_affine(ordered), partial(_load, list(ordered)))


def _load(slices: Sequence[Slice]) -> np.ndarray:
    """Read slices one by one into one volume."""
    values = np.empty((*slices[0].shape, len(slices)), dtype=np.float32)
    for index, item in enumerate(slices):
        values[..., index] = read_pixels(item)
    return values


def slices_of_series(folder: Path, series: str) -> list[Slice]:
    """Return the slices of one series in a folder, ordered along the slice normal; '' stands for the only one.

    Raises:
        UnusableImageError: the series is absent, or not named among several, or its slices do not form a volume.
    """
    slices = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and is_dicom(path):
            try:
                slices.append(read_slice(path))
            except UnusableImageError:  # not a slice of a volume; the scan has named it
                continue
    there = sorted({item.series for item in slices})
    if not series and len(there) > 1:
        raise UnusableImageError(f"holds {len(there)} series, such as {there[0]}; name one as `series` of the record")
    chosen = [item for item in slices if item.series == series or not series]
    if not chosen:
        raise UnusableImageError(f"holds no image of the series {series}" if series else "holds no DICOM images")
    return check_series(chosen)[0]


def check_series(slices: Iterable[Slice]) -> tuple[list[Slice], Odd]:
    """Return the slices of a series that form a volume, in order, and why each other image does not belong to it.

    Images that differ from the rest (a scout, a copy, another size, no position) are left out, as long as there are
    few of them. A tilted gantry is no obstacle (`straighten`).

    Raises:
        UnusableImageError: too few slices, slices of several patients, without position or spacing, of two planes or
            sizes, missing, repeated, at uneven distance or shifted against each other, with the numbers.
    """
    odd: Odd = {}
    chosen = _once(list(slices), odd)
    try:
        _check_number(chosen)
        chosen = _alike(_placed(chosen, odd), odd)
        _check_number(chosen)
        _check_directions(chosen[0].orientation)
        ordered = sort_slices(chosen)
        _check_gaps(ordered)
    except UnusableImageError as error:
        named = "; ".join(f"{Path(file).name} {reason}" for file, reason in list(odd.items())[:MAX_NAMED])
        raise UnusableImageError(f"{error} ({len(odd)} left out: {named})" if odd else str(error)) from None
    return ordered, odd


def _check_number(slices: Sequence[Slice]) -> None:
    if len(slices) < MIN_SLICES:
        noun = "slice" if len(slices) == 1 else "slices"
        raise UnusableImageError(f"has {len(slices)} {noun}, at least {MIN_SLICES} are needed")


def _once(slices: list[Slice], odd: Odd) -> list[Slice]:
    """Leave out copies; refuse slices of several patients."""
    patients = sorted({item.patient for item in slices})
    if len(patients) > 1:
        raise UnusableImageError(f"mixes slices of {len(patients)} patients, {patients[0]!r} and {patients[1]!r}")
    first: dict[str, Slice] = {}
    kept = []
    for item in sorted(slices, key=lambda item: (len(item.file), item.file)):
        other = first.setdefault(item.instance or item.file, item)
        if other is item:
            kept.append(item)
        else:
            odd[item.file] = f"is a copy of {other.path.name}: it has the same SOPInstanceUID"
    return kept


def _placed(slices: list[Slice], odd: Odd) -> list[Slice]:
    """Leave out slices without position, orientation or pixel spacing; refuse a series in which all lack them."""
    kept = [item for item in slices if not lacking(item)]
    if not kept:
        absent = [name for name in ATTRIBUTES if any(name in lacking(item) for item in slices)]
        raise UnusableImageError(f"lacks {' and '.join(absent)} in all of its {len(slices)} slices")
    for item in slices:
        if absent := lacking(item):
            odd[item.file] = f"lacks {' and '.join(absent)}, unlike other slices of its series"
    return kept


ATTRIBUTES = ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing")


def lacking(item: Slice) -> list[str]:
    """Return the keywords of what a slice does not say about its place."""
    there = (len(item.orientation) == 6, len(item.position) == 3, len(item.spacing) == 2 and min(item.spacing) > 0)
    return [name for name, is_there in zip(ATTRIBUTES, there, strict=True) if not is_there]


def _alike(slices: list[Slice], odd: Odd) -> list[Slice]:
    """Keep the largest group of slices of one size, spacing and direction; refuse a series of two volumes."""
    groups: list[list[Slice]] = []
    for item in slices:
        group = next((group for group in groups if not _difference(item, group[0])), None)
        if group is None:
            groups.append([item])
        else:
            group.append(item)
    groups.sort(key=len, reverse=True)
    for group in groups[1:]:
        what, value, usual = _difference(group[0], groups[0][0]) or ("", "", "")
        if len(group) >= MIN_SLICES or len(groups[0]) < MIN_SLICES:
            raise UnusableImageError(f"has slices of different {what}, {usual} and {value}")
        odd.update({item.file: f"has {what} {value}, but the slices of its series have {usual}" for item in group})
    return groups[0]


def _difference(item: Slice, other: Slice) -> tuple[str, Any, Any] | None:
    """Return what tells two slices apart, with both values."""
    if item.shape != other.shape:
        return "size", "x".join(map(str, item.shape)), "x".join(map(str, other.shape))
    if not np.allclose(item.spacing, other.spacing, rtol=0.001):
        return "pixel spacing", item.spacing, other.spacing
    if np.abs(np.subtract(item.orientation, other.orientation)).max() > 0.01:
        return "direction", item.orientation, other.orientation
    return None


def _check_directions(orientation: Sequence[float]) -> None:
    """Refuse directions along which pixels would have another distance than PixelSpacing says."""
    lengths = np.linalg.norm(np.reshape(orientation, (2, 3)), axis=1)
    if not (np.abs(lengths - 1) < UNIT_LENGTH).all():
        told = " and ".join(f"{length:.4g}" for length in lengths)
        raise UnusableImageError(f"has directions of the lengths {told}, not 1 (ImageOrientationPatient)")


def sort_slices(slices: Iterable[Slice]) -> list[Slice]:
    """Order slices by their position along the slice normal."""
    slices = list(slices)
    normal = _normal(slices[0])
    return sorted(slices, key=lambda item: (float(np.dot(item.position, normal)), item.path.name))


def _normal(item: Slice) -> np.ndarray:
    normal = np.cross(item.orientation[:3], item.orientation[3:])
    return normal / np.linalg.norm(normal)


def _check_gaps(ordered: list[Slice]) -> None:
    """Refuse repeated, uneven and shifted slices."""
    positions = np.array([item.position for item in ordered])
    along = positions @ _normal(ordered[0])
    repeats = Counter(np.round(along, 2).tolist())
    position, number = repeats.most_common(1)[0]
    if number > 1 and len(set(repeats.values())) == 1:
        raise UnusableImageError(f"has {number} images at each of {len(repeats)} positions (time points or phases)")
    problems = [f"duplicate slices ({number} at {position:.2f} mm)"] if number > 1 else []
    places = np.array(sorted(repeats)) if number > 1 else along
    gaps = np.diff(places)
    step = float(np.median(gaps))
    odd = np.flatnonzero(np.abs(gaps - step) > GAP_TOLERANCE * step)
    if odd.size:
        multiple = gaps[odd] / step
        missing = bool((np.abs(multiple - multiple.round()) < GAP_TOLERANCE).all() and (multiple > 1.5).all())
        kind = "missing slices" if missing else "a variable distance of slices"
        start, stop = places[odd[0]], places[odd[0] + 1]
        problems.append(f"{kind} ({stop - start:.2f} mm from {start:.2f} to {stop:.2f} mm, usually {step:.2f} mm)")
    problems += _shifts(positions, along, min(ordered[0].spacing))
    if problems:
        raise UnusableImageError("has " + " and ".join(problems))


def _shifts(positions: np.ndarray, along: np.ndarray, pixel: float) -> list[str]:
    """Return what is wrong with the line on which the slices lie: too tilted, or off by more than a pixel (mm)."""
    path = positions[-1] - positions[0]
    length = along[-1] - along[0]
    tilt = float(np.degrees(np.arccos(np.clip(length / np.linalg.norm(path), -1, 1))))
    if tilt > MAX_TILT_DEGREES:
        return [f"a gantry tilt of {tilt:.1f} degrees, more than {MAX_TILT_DEGREES:g}"]
    line = positions[0] + np.outer((along - along[0]) / length, path)
    shift = float(np.linalg.norm(positions - line, axis=1).max())
    return [f"slices shifted in their plane by up to {shift:.1f} mm"] if shift > pixel else []


def series_affine(ordered: Sequence[Slice]) -> np.ndarray:
    """Return the 4x4 affine of ordered slices, voxel (x, y, slice) to RAS mm, sheared where the gantry was tilted."""
    first, last = ordered[0], ordered[-1]
    affine = np.eye(4)
    affine[:3, 0] = np.array(first.orientation[:3]) * first.spacing[0]
    affine[:3, 1] = np.array(first.orientation[3:]) * first.spacing[1]
    affine[:3, 2] = np.subtract(last.position, first.position) / (len(ordered) - 1)
    affine[:3, 3] = first.position
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine

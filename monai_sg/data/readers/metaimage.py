"""MetaImage: ``.mha``, and ``.mhd`` with its voxels in another file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from .content import wrong_content
from .formats import UnusableImageError
from .opened import OpenImage, opened
from .raw_data import RawData, itk_load

MAX_HEADER = 1 << 16
MAX_FILES = 1 << 16
TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
MM_OF_UNIT = {"": 1.0, "?": 1.0, "mm": 1.0, "um": 0.001, "\u00b5m": 0.001, "cm": 10.0, "m": 1000.0}
UNIT_LENGTH = 0.01
"""By how much the length of a direction may differ from 1."""
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def fields_of(path: Path) -> tuple[dict[str, str], int]:
    """Return what a header says, names in lower case, and where it ends in the file.

    Raises:
        UnusableImageError: the file is no MetaImage.
    """
    fields: dict[str, str] = {}
    with open(path, "rb") as file:
        while file.tell() < MAX_HEADER and (line := file.readline(MAX_HEADER)):
            name, equals, value = line.decode("utf-8", "replace").partition("=")
            if not equals:
                break
            fields[name.strip().lower()] = value.strip()
            if name.strip().lower() == "elementdatafile":
                return fields, file.tell()
    if "ndims" in fields:
        raise UnusableImageError("is damaged: its header has no ElementDataFile")
    raise wrong_content(path, "a MetaImage")


def data_files(path: Path) -> list[Path]:
    """Return the files that hold the voxels of a header, whether they are there or not."""
    fields, end = fields_of(path)
    name = fields["elementdatafile"]
    if name.upper() == "LOCAL":
        return []
    if name.upper().startswith("LIST"):
        with open(path, "rb") as file:
            file.seek(end)
            return [path.parent / line.decode("utf-8", "replace").strip() for line in file if line.strip()]
    if "%" in name:
        return _numbered(path, name, _whole(fields, "DimSize")[-1])
    return [path.parent / name]


def _numbered(path: Path, text: str, number: int) -> list[Path]:
    """Return the files of ``slice%03d.raw 1 40 1``; without numbers they count from 1, a file a slice."""
    pattern, *rest = text.split()
    try:
        first, last, step = (int(value) for value in [*rest, *("1", str(number), "1")[len(rest) :]][:3])
        return [
            path.parent / (pattern % index) for index in range(first, min(last, first + MAX_FILES) + 1, max(step, 1))
        ]
    except (ValueError, TypeError):
        raise _damaged("ElementDataFile", text) from None


def open_metaimage(path: Path) -> OpenImage:
    """Read the header of a MetaImage and check that its voxels are there.

    Raises:
        UnusableImageError: it cannot be used, with the reason.
    """
    fields, end = fields_of(path)
    shape = tuple(_whole(fields, "DimSize"))
    (number,), (channels,) = _whole(fields, "NDims", [len(shape)]), _whole(fields, "ElementNumberOfChannels", [1])
    if len(shape) != number or min(shape) < 1 or channels < 1:
        raise UnusableImageError(f"is damaged: its header says DimSize = {fields['dimsize']} for {number} axes")
    affine, unoriented = _affine(fields, len(shape))
    _check_values(fields)
    if fields.get("elementtype") not in TYPES:
        raise UnusableImageError(f"holds values of type {fields.get('elementtype')}, not grey values")
    big = _is_true(fields.get("binarydatabyteordermsb") or fields.get("elementbyteordermsb") or "False")
    dtype = np.dtype((">" if big else "<") + TYPES[fields["elementtype"]])
    spatial, further = shape[:3], [length for length in shape[3:] if length > 1]
    if len(further) > 1 or (further and channels > 1):
        raise UnusableImageError(f"has {len(shape)} axes {shape}; store each channel and time as a 3D image")
    data = _data(path, fields, end, prod(shape) * channels * dtype.itemsize)
    total = further[0] if further else channels
    load = partial(_load, path, data, dtype, spatial, channels, total)
    return opened(spatial, affine, load, total, dtype, unoriented=unoriented)


def _affine(fields: dict[str, str], number: int) -> tuple[np.ndarray, str]:
    """Return the affine to RAS mm, and why direction or spacing is not known."""
    axes = min(number, 3)
    spacing = _numbers(fields, ("ElementSpacing", "ElementSize"), number)
    matrix = _numbers(fields, ("TransformMatrix", "Rotation", "Orientation"), number * number)
    offset = _numbers(fields, ("Offset", "Position", "Origin"), number)
    unit = fields.get("distanceunits", "")
    if unit.lower() not in MM_OF_UNIT:
        raise UnusableImageError(f"has the unit {unit!r} (DistanceUnits), which is not known; give its spacing in mm")
    factor = MM_OF_UNIT[unit.lower()]
    affine = np.eye(4)
    directions = np.array(matrix).reshape(number, number).T if matrix else np.eye(number)
    lengths = np.linalg.norm(directions[:axes, :axes], axis=0)
    if np.isfinite(lengths).all() and (np.abs(lengths - 1) > UNIT_LENGTH).any():
        raise UnusableImageError(
            f"has two spacings: directions in its TransformMatrix have the lengths {_text(lengths)}, not 1; put them "
            "into ElementSpacing"
        )
    affine[:axes, :axes] = directions[:axes, :axes] * (np.array(spacing[:axes]) if spacing else 1.0) * factor
    affine[:axes, 3] = np.array(offset[:axes]) * factor if offset else 0.0
    lacking = [name for name, value in (("ElementSpacing", spacing), ("TransformMatrix", matrix)) if not value]
    what = "spacing" if lacking == ["ElementSpacing"] else "orientation"
    reason = f"has no {what}: its header lacks {' and '.join(lacking)}" if lacking and axes == 3 else ""
    return LPS @ affine, reason


def _is_true(text: str) -> bool:
    """Return whether ITK takes a word for true: by its first letter."""
    return text[:1] in ("T", "t", "1")


def _text(numbers: Iterable[float]) -> str:
    return " ".join(f"{number:.4g}" for number in numbers)


def _damaged(name: str, text: str) -> UnusableImageError:
    return UnusableImageError(f"is damaged: its header says {name} = {text[:60]!r}")


def _numbers(fields: dict[str, str], names: tuple[str, ...], number: int) -> list[float]:
    """Return the numbers that the first name that is there gives, none if none is."""
    name = next((name for name in names if fields.get(name.lower())), None)
    if name is None:
        return []
    text = fields[name.lower()]
    try:
        found = [float(value) for value in text.split()]
    except ValueError:
        raise _damaged(name, text) from None
    if len(found) != number:
        raise _damaged(name, text)
    return found


def _whole(fields: dict[str, str], name: str, absent: list[int] | None = None) -> list[int]:
    """Return whole numbers; those for an absent name, of which there is one each, if there are any."""
    text = fields.get(name.lower(), "")
    if not text and absent is not None:
        return absent
    try:
        found = [int(value) for value in text.split()]
    except ValueError:
        raise _damaged(name, text) from None
    if not found or (absent and len(found) != 1):
        raise _damaged(name, text)
    return found


def _check_values(fields: dict[str, str]) -> None:
    """Refuse values that stand for others, which some programs convert and others do not."""
    names = ("ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset")
    slope, offset = (_numbers(fields, (name,), 1) for name in names)
    if (slope or [1.0]) != [1.0] or (offset or [0.0]) != [0.0]:
        told = ", ".join(f"{name} = {fields[name.lower()]}" for name in names if name.lower() in fields)
        raise UnusableImageError(
            f"has values that stand for others ({told}), which programs read in different ways; store those meant"
        )


def _data(path: Path, fields: dict[str, str], end: int, expected: int) -> RawData | None:
    """Return where the voxels lie, known to be complete; ``None`` for what ITK reads: text and several files."""
    files = data_files(path)
    if missing := [file.name for file in files if not file.is_file()]:
        raise UnusableImageError(
            f"lacks its voxels: {missing[0]}, which its header names as ElementDataFile, is not there"
        )
    if not _is_true(fields.get("binarydata", "True")) or len(files) > 1:
        return None
    packed = _is_true(fields.get("compresseddata", "False"))
    (skip,), (packed_bytes,) = _whole(fields, "HeaderSize", [0]), _whole(fields, "CompressedDataSize", [0])
    data = RawData(
        files[0] if files else path,
        skip if files or skip else end,
        "zlib" if packed else "",
        max(packed_bytes, 0) if packed else 0,
    )
    data.check(expected)
    return data


def _load(
    path: Path, data: RawData | None, dtype: np.dtype, shape: tuple[int, ...], channels: int, total: int
) -> np.ndarray:
    """Read the voxels; channels lie together in the file if each voxel has several values, else one after the other."""
    if data is None:
        return itk_load(path, (*shape, total) if total > 1 else shape)
    if channels > 1:
        return np.moveaxis(data.read(dtype, (channels, *shape)), 0, -1)
    return data.read(dtype, (*shape, total) if total > 1 else shape)

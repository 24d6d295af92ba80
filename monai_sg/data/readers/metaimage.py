"""MetaImage: ``.mha``, and ``.mhd`` with its voxels in another file."""

from __future__ import annotations

from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from .content import wrong_content
from .formats import UnusableImageError
from .opened import OpenImage, opened
from .raw_data import RawData, itk_load

MAX_HEADER = 1 << 16
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
MM_OF_UNIT = {"": 1.0, "?": 1.0, "mm": 1.0, "um": 0.001, "cm": 10.0, "m": 1000.0}
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
        return _numbered(path, name, int(_last(fields["dimsize"])))
    return [path.parent / name]


def _last(numbers: str) -> str:
    return numbers.split()[-1]


def _numbered(path: Path, text: str, number: int) -> list[Path]:
    """Return the files of ``slice%03d.raw 1 40 1``."""
    pattern, *rest = text.split()
    first, last, step = [int(value) for value in [*rest, "1", str(number), "1"][:3]] if not rest else _range(rest)
    return [path.parent / (pattern % index) for index in range(first, last + 1, max(step, 1))]


def _range(rest: list[str]) -> tuple[int, int, int]:
    numbers = [int(value) for value in rest]
    return (numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 1)


def open_metaimage(path: Path) -> OpenImage:
    """Read the header of a MetaImage and check that its voxels are there.

    Raises:
        UnusableImageError: it cannot be used, with the reason.
    """
    fields, end = fields_of(path)
    try:
        shape = tuple(int(number) for number in fields["dimsize"].split())
        channels = int(fields.get("elementnumberofchannels", "1"))
        affine, unoriented = _affine(fields, len(shape))
    except (KeyError, ValueError, IndexError) as error:
        raise UnusableImageError(f"is damaged: its header cannot be understood ({error})") from error
    if len(shape) != int(fields.get("ndims", len(shape))) or min(shape) < 1 or channels < 1:
        raise UnusableImageError(f"is damaged: its header says DimSize = {fields['dimsize']}")
    if fields.get("elementtype") not in TYPES:
        raise UnusableImageError(f"holds values of type {fields.get('elementtype')}, not grey values")
    big = (fields.get("binarydatabyteordermsb") or fields.get("elementbyteordermsb") or "False").lower() == "true"
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
    spacing = _numbers(fields, ("elementspacing", "elementsize"))
    matrix = _numbers(fields, ("transformmatrix", "rotation", "orientation"))
    offset = _numbers(fields, ("offset", "position", "origin"))
    factor = MM_OF_UNIT.get(fields.get("distanceunits", "").lower(), 1.0)
    affine = np.eye(4)
    directions = np.array(matrix).reshape(number, number).T if matrix else np.eye(number)
    affine[:axes, :axes] = directions[:axes, :axes] * (np.array(spacing[:axes]) if spacing else 1.0) * factor
    affine[:axes, 3] = np.array(offset[:axes]) * factor if offset else 0.0
    lacking = [name for name, value in (("ElementSpacing", spacing), ("TransformMatrix", matrix)) if not value]
    what = "spacing" if lacking == ["ElementSpacing"] else "orientation"
    reason = f"has no {what}: its header lacks {' and '.join(lacking)}" if lacking and axes == 3 else ""
    return LPS @ affine, reason


def _numbers(fields: dict[str, str], names: tuple[str, ...]) -> list[float]:
    text = next((fields[name] for name in names if fields.get(name)), "")
    return [float(number) for number in text.split()]


def _data(path: Path, fields: dict[str, str], end: int, expected: int) -> RawData | None:
    """Return where the voxels lie, known to be complete; ``None`` for what ITK reads: text and several files."""
    files = data_files(path)
    if missing := [file.name for file in files if not file.is_file()]:
        raise UnusableImageError(
            f"lacks its voxels: {missing[0]}, which its header names as ElementDataFile, is not there"
        )
    if fields.get("binarydata", "True").lower() == "false" or len(files) > 1:
        return None
    packed = fields.get("compresseddata", "False").lower() == "true"
    skip = int(fields.get("headersize", "0") or 0)
    data = RawData(
        files[0] if files else path,
        skip if files else end,
        "zlib" if packed else "",
        int(fields.get("compresseddatasize", "0") or 0) if packed else 0,
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

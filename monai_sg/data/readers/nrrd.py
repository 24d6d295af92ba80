"""NRRD: ``.nrrd``, and ``.nhdr`` with its voxels in other files."""

from __future__ import annotations

import re
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
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
DTYPES = {name: code for code, names in TYPES.items() for name in names}
PACKING = {"raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
CONTRADICTION = 0.01
WORDS = {"left": -1, "right": 1, "posterior": -1, "anterior": 1, "inferior": -1, "superior": 1}
UNITS = {
    1.0: ("", "mm", "millimeter", "millimeters", "millimetre"),
    0.001: ("um", "\u03bcm", "\u00b5m", "micron", "microns", "micrometer", "micrometers", "micrometre"),
    1e-6: ("nm", "nanometer"),
    10.0: ("cm", "centimeter", "centimeters"),
    1000.0: ("m", "meter", "meters", "metre"),
    25.4: ("in", "inch"),
}
MM_OF_UNIT = {name: factor for factor, names in UNITS.items() for name in names}


def fields_of(path: Path) -> tuple[dict[str, str], int]:
    """Return what a header says, names in lower case, and where it ends in the file.

    Raises:
        UnusableImageError: the file is no NRRD.
    """
    fields: dict[str, str] = {}
    with open(path, "rb") as file:
        if not file.readline(64).startswith(b"NRRD"):
            raise wrong_content(path, "an NRRD file")
        while file.tell() < MAX_HEADER and (line := file.readline(MAX_HEADER)):
            text = line.decode("utf-8", "replace").strip()
            if not text:
                break
            name, colon, value = text.partition(":")
            if colon and not text.startswith("#") and not value.startswith("="):
                fields[name.strip().lower()] = value.strip()
                if name.strip().lower() in ("data file", "datafile") and value.strip().startswith("LIST"):
                    break
        return fields, file.tell()


def data_files(path: Path) -> list[Path]:
    """Return the files that hold the voxels of a header, whether they are there or not; none if it holds them."""
    fields, end = fields_of(path)
    name = fields.get("data file", fields.get("datafile", ""))
    if not name:
        return []
    if name.startswith("LIST"):
        with open(path, "rb") as file:
            file.seek(end)
            return [path.parent / line.decode("utf-8", "replace").strip() for line in file if line.strip()]
    if found := re.fullmatch(r"(\S*%\S+)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)(\s+\d+)?", name):
        first, last, step = (int(found[index]) for index in (2, 3, 4))
        return [path.parent / (found[1] % index) for index in range(first, last + (1 if step > 0 else -1), step or 1)]
    return [path.parent / name]


def open_nrrd(path: Path) -> OpenImage:
    """Read the header of an NRRD file and check that its voxels are there.

    Raises:
        UnusableImageError: it cannot be used, with the reason.
    """
    fields, end = fields_of(path)
    try:
        sizes = tuple(int(number) for number in fields["sizes"].split())
        kind = fields["type"].lower()
        affine, spatial, unoriented = _geometry(fields, len(sizes))
        number = int(fields.get("dimension", len(sizes)))
    except UnusableImageError:
        raise
    except KeyError as error:
        raise UnusableImageError(f"is damaged: its header has no {error.args[0]}") from error
    except (ValueError, IndexError) as error:
        raise UnusableImageError(f"is damaged: its header cannot be understood ({error})") from error
    if len(sizes) != number or not sizes or min(sizes) < 1 or not spatial:
        raise UnusableImageError(f"is damaged: its header says sizes {fields['sizes']} for {number} axes")
    if kind not in DTYPES:
        raise UnusableImageError(f"holds values of type {kind}, not grey values")
    dtype = np.dtype((">" if fields.get("endian", "little").lower() == "big" else "<") + DTYPES[kind])
    others = [axis for axis in range(len(sizes)) if axis not in spatial]
    channels = prod(sizes[axis] for axis in others)
    if "complex" in fields.get("kinds", "").lower():
        raise UnusableImageError("holds complex numbers, not grey values")
    if sum(sizes[axis] > 1 for axis in others) > 1:
        raise UnusableImageError(f"has {len(sizes)} axes {sizes}; store each channel and time as a 3D image")
    data = _data(path, fields, end, prod(sizes) * dtype.itemsize)
    shape = tuple(sizes[axis] for axis in spatial)
    wanted = (*shape, channels) if channels > 1 else shape
    load = partial(_load, path, data, dtype, sizes, [*spatial, *others], wanted)
    return opened(shape, affine, load, channels, dtype, unoriented=unoriented)


def _geometry(fields: dict[str, str], number: int) -> tuple[np.ndarray, list[int], str]:
    """Return the affine to RAS mm, the spatial axes, and why orientation is not known."""
    signs = _signs(fields.get("space", ""))
    vectors = [_vector(text) for text in re.findall(r"none|\([^)]*\)", fields.get("space directions", ""))]
    factors = [_mm(unit) for unit in re.findall(r'"([^"]*)"', _units(fields))] or [1.0]
    affine = np.eye(4)
    if not vectors:
        kinds = fields.get("kinds", "").split() or ["domain"] * number
        spatial = [axis for axis, kind in enumerate(kinds) if kind in ("domain", "space", "???")][:3]
        spacings = fields.get("spacings", "").split()
        lengths = [float(spacings[axis]) if spacings else float("nan") for axis in spatial]
        for place, length in enumerate(lengths):
            factor = factors[min(spatial[place], len(factors) - 1)]
            affine[place, place] = length * factor if np.isfinite(length) else 1.0
        what = "space directions" if signs is not None else "space"
        reason = f"has no {what} in its header, so orientation and origin are not known" if len(spatial) == 3 else ""
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, spatial, reason
    if len(vectors) != number:
        raise UnusableImageError(f"is damaged: its header has {len(vectors)} space directions for {number} axes")
    spatial = [axis for axis, vector in enumerate(vectors) if vector]
    origin = _vector(fields.get("space origin", "")) or [0.0] * len(vectors[spatial[0]])
    scale = np.array([factors[min(row, len(factors) - 1)] for row in range(len(origin))])
    rows = len(origin)
    affine[:rows, : len(spatial)] = np.array([vectors[axis] for axis in spatial]).T * scale[:, None]
    affine[:rows, 3] = np.array(origin) * scale
    known = signs is not None or len(spatial) < 3
    turn = np.diag([*(signs or (-1, -1, 1)), 1.0])
    _check_spacings(fields, affine, spatial, scale[0])
    return (
        turn @ affine,
        spatial,
        "" if known else f"has {_named(fields)} in its header, so left and right are not known",
    )


def _check_spacings(fields: dict[str, str], affine: np.ndarray, spatial: list[int], factor: float) -> None:
    """Refuse spacings beside directions that say otherwise."""
    given = fields.get("spacings", "").split()
    lengths = np.linalg.norm(affine[:3, : len(spatial)], axis=0)
    for axis, length in zip(spatial, lengths, strict=True):
        plain = float(given[axis]) * factor if axis < len(given) else float("nan")
        if abs(plain - length) > CONTRADICTION * length:
            raise UnusableImageError(
                f"has two spacings: its space directions say {length:.4g} mm along axis {axis + 1}, its spacings "
                f"{plain:.4g} mm; correct the header so that both agree"
            )


def _mm(unit: str) -> float:
    if unit.strip().lower() not in MM_OF_UNIT:
        raise UnusableImageError(f"has the unit {unit!r} in its header, which is not known; give its spacing in mm")
    return MM_OF_UNIT[unit.strip().lower()]


def _named(fields: dict[str, str]) -> str:
    return f"the space {fields['space']!r}" if fields.get("space") else "no space"


def _units(fields: dict[str, str]) -> str:
    return fields.get("space units") or fields.get("units") or ""


def _signs(space: str) -> tuple[int, ...] | None:
    """Return the factors that turn a space into RAS, or ``None`` for one that names no directions of the body."""
    words = space.lower().split("-")
    if len(words) == 1 and re.fullmatch("[rl][ap][si]t?", words[0]):
        words = [next(word for word in WORDS if word.startswith(letter)) for letter in words[0][:3]]
    return tuple(WORDS[word] for word in words[:3]) if len(words) >= 3 and all(w in WORDS for w in words[:3]) else None


def _vector(text: str) -> list[float]:
    return [] if text in ("none", "") else [float(number) for number in text.strip("() ").split(",")]


def _data(path: Path, fields: dict[str, str], end: int, expected: int) -> RawData | None:
    """Return where the voxels lie, known to be complete; ``None`` for what ITK reads."""
    files = data_files(path)
    if missing := [file.name for file in files if not file.is_file()]:
        raise UnusableImageError(f"lacks its voxels: {missing[0]}, which its header names as data file, is not there")
    encoding = fields.get("encoding", "raw").lower()
    if encoding not in PACKING or len(files) > 1 or int(fields.get("line skip", "0") or 0):
        return None
    packing = PACKING[encoding]
    skip = int(fields.get("byte skip", "0") or 0)
    if skip and packing:
        return None
    data = RawData(files[0] if files else path, -1 if skip < 0 else skip + (0 if files else end), packing)
    data.check(expected)
    return data


def _load(
    path: Path, data: RawData | None, dtype: np.dtype, sizes: tuple[int, ...], order: list[int], shape: tuple[int, ...]
) -> np.ndarray:
    values = itk_load(path, sizes) if data is None else data.read(dtype, sizes)
    return values.transpose(order).reshape(shape)

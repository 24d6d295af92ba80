"""DICOM folders: which files form a volume or a film, and why a series cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np
import pydicom

from .formats import MIN_SLICES, ImageHeader, UnusableImageError, first_line

FILMS = {"CR", "DX", "MG", "PX", "RG", "IO"}
GAP_TOLERANCE = 0.1
MAX_TILT_DEGREES = 35.0
MAX_REMEMBERED = 1 << 18  # about a thousand scans; 0.7 kB each
TAGS = [
    "SOPClassUID", "Modality", "SeriesInstanceUID", "PatientID", "ImageType", "NumberOfFrames", "SamplesPerPixel",
    "Rows", "Columns", "PixelSpacing", "ImagerPixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slice:
    """The header of one DICOM image; ``spacing`` (along x, y), ``position`` and ``orientation`` are empty if absent."""

    file: str
    series: str
    patient: str
    modality: str
    shape: tuple[int, int]
    spacing: tuple[float, ...]
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    syntax: str

    @property
    def path(self) -> Path:
        """The file as a path, which takes as much memory as all else and is therefore not kept."""
        return Path(self.file)

    @property
    def is_film(self) -> bool:
        """Whether the image is a projection, that is a 2D image of its own."""
        return self.modality in FILMS


def is_dicom(path: Path) -> bool:
    """Return whether a file starts like DICOM; files called ``.dcm`` count without the usual preamble."""
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return True
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_slice(path: Path) -> Slice:
    """Read the header of one DICOM file up to its pixels; it is remembered as long as the file stays the same.

    Raises:
        UnusableImageError: the file is not a single grey image, with the reason.
    """
    try:
        stat = path.stat()
        return _read_slice(str(path), stat.st_size, stat.st_mtime_ns)
    except UnusableImageError:
        raise
    except Exception as error:  # pydicom raises many kinds on damaged headers; the file is lost, the reason is kept
        raise UnusableImageError(f"is not readable DICOM ({type(error).__name__}: {first_line(error)})") from error


@lru_cache(MAX_REMEMBERED)  # the scan, the need of disk and the volume itself ask for the same headers
def _read_slice(file: str, size: int, mtime_ns: int) -> Slice:
    return _slice_from(file, pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(TAGS)))


def _slice_from(file: str, header: pydicom.Dataset) -> Slice:
    modality = str(header.get("Modality", "") or "").strip()
    frames = int(header.get("NumberOfFrames", 1) or 1)
    if not header.get("SOPClassUID"):
        raise UnusableImageError("is not readable DICOM: it names no kind of object (SOPClassUID)")
    if modality == "SEG":
        raise UnusableImageError("is a DICOM segmentation (SEG), not an image")
    if not header.get("Rows") or not header.get("Columns"):
        kind = modality or pydicom.uid.UID(str(header.SOPClassUID)).name
        raise UnusableImageError(f"is a DICOM object without pixels ({kind}), not an image")
    if modality == "RTDOSE":
        raise UnusableImageError("is a DICOM dose distribution (RTDOSE), not an image")
    if frames > 1 or "Enhanced" in pydicom.uid.UID(str(header.SOPClassUID)).name:
        raise UnusableImageError(f"is a multi-frame DICOM file ({frames} frames); convert it to NIfTI with dcm2niix")
    if int(header.get("SamplesPerPixel", 1) or 1) > 1:
        raise UnusableImageError("is a DICOM image in colour, not grey values")
    if "LOCALIZER" in [str(value).upper() for value in header.get("ImageType", []) or []]:
        raise UnusableImageError("is a localiser (scout view)")
    spacing = _numbers(header, "PixelSpacing") or _numbers(header, "ImagerPixelSpacing")
    return Slice(
        file=file,
        series=intern(str(header.get("SeriesInstanceUID", "") or "")),
        patient=intern(str(header.get("PatientID", "") or "").strip()),
        modality=intern(modality),
        shape=(int(header.Columns), int(header.Rows)),
        spacing=_shared(spacing[::-1]),
        position=_numbers(header, "ImagePositionPatient"),
        orientation=_shared(_numbers(header, "ImageOrientationPatient")),
        syntax=intern(pydicom.uid.UID(str(header.file_meta.get("TransferSyntaxUID", "not named"))).name),
    )


@lru_cache(1 << 12)  # the slices of a series hold one object, not one each
def _shared(numbers: tuple[float, ...]) -> tuple[float, ...]:
    return numbers


def _numbers(header: pydicom.Dataset, name: str) -> tuple[float, ...]:
    value: Any = header.get(name)
    return tuple(float(number) for number in value) if value else ()


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
    check_series(chosen)
    return sort_slices(chosen)


def sort_slices(slices: Iterable[Slice]) -> list[Slice]:
    """Order slices by their position along the slice normal."""
    slices = list(slices)
    normal = _normal(slices[0])
    return sorted(slices, key=lambda item: (float(np.dot(item.position, normal)), item.path.name))


def _normal(item: Slice) -> np.ndarray:
    normal = np.cross(item.orientation[:3], item.orientation[3:])
    return normal / np.linalg.norm(normal)


def check_series(slices: list[Slice]) -> ImageHeader:
    """Return shape and spacing of the volume that the slices of a series form.

    A tilted gantry is no obstacle (`straighten`): the distance of the slices is then that along their normal.

    Raises:
        UnusableImageError: too few slices, slices of several patients, without position or spacing, of different size
            or direction, missing, repeated, at uneven distance or shifted against each other, with the numbers.
    """
    if len(slices) < MIN_SLICES:
        noun = "slice" if len(slices) == 1 else "slices"
        raise UnusableImageError(f"has {len(slices)} {noun}, at least {MIN_SLICES} are needed")
    _check_alike(slices)
    ordered = sort_slices(slices)
    gap = _check_gaps(ordered)
    return ImageHeader((*ordered[0].shape, len(ordered)), (*ordered[0].spacing, gap))


def _check_alike(slices: list[Slice]) -> None:
    """Refuse slices of several patients, without position or spacing, or of different size, spacing or direction."""
    patients = sorted({item.patient for item in slices})
    if len(patients) > 1:
        raise UnusableImageError(f"mixes slices of {len(patients)} patients, {patients[0]!r} and {patients[1]!r}")
    unplaced = [item for item in slices if len(item.position) != 3 or len(item.orientation) != 6]
    if unplaced:
        raise UnusableImageError(
            f"has {len(unplaced)} of {len(slices)} slices without position, {unplaced[0].path.name}"
        )
    shapes = sorted({item.shape for item in slices})
    if len(shapes) > 1:
        raise UnusableImageError(f"has slices of different size, {shapes[0]} and {shapes[1]}")
    spacings = sorted({item.spacing for item in slices})
    if any(len(spacing) != 2 or min(spacing) <= 0 for spacing in spacings):
        raise UnusableImageError(f"has slices without a usable pixel spacing, {spacings[0] or 'none'}")
    if not np.allclose(spacings[0], spacings, rtol=0.001):
        raise UnusableImageError(f"has slices of different pixel spacing, {spacings[0]} and {spacings[-1]}")
    directions = np.array([item.orientation for item in slices])
    if np.abs(directions - directions[0]).max() > 0.01:
        raise UnusableImageError("has slices of different direction (several planes in one series)")


def _check_gaps(ordered: list[Slice]) -> float:
    """Return the distance of the slices in mm, or refuse repeated, uneven and shifted ones."""
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
    return step


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


def series_affine(ordered: list[Slice]) -> np.ndarray:
    """Return the 4x4 affine of ordered slices, voxel (x, y, slice) to RAS mm, sheared where the gantry was tilted."""
    first, last = ordered[0], ordered[-1]
    affine = np.eye(4)
    affine[:3, 0] = np.array(first.orientation[:3]) * first.spacing[0]
    affine[:3, 1] = np.array(first.orientation[3:]) * first.spacing[1]
    affine[:3, 2] = np.subtract(last.position, first.position) / (len(ordered) - 1)
    affine[:3, 3] = first.position
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine

"""What lies in a folder: volumes, pictures, DICOM series and stacks that can be used, and the reasons of the others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...utils.progress import Bar
from ..readers.dicom import Slice, check_series, is_dicom, read_slice
from ..readers.formats import (
    ARCHIVES,
    NUMPY,
    SUFFIXES,
    TIFF,
    UnusableImageError,
    read_header,
    spacing_in,
    stem_of,
    suffix_of,
)
from ..readers.stacks import find_stacks, is_pattern, pattern_of
from .naming import label_reason

NUM_THREADS = 8

Skipped = list[dict[str, str]]


@dataclass(frozen=True)
class Found:
    """A usable image: path relative to the folder, short name, number of axes, patient (may be empty) and series.

    ``series`` is that of DICOM, or the pattern of a stack.
    """

    path: PurePosixPath
    stem: str
    num_axes: int
    patient: str = ""
    series: str = ""


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield all files, hidden ones left out, following links but no folder twice."""
    seen: set[str] = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in names if not name.startswith("."))


def inspect_files(dataset_dir: Path, paths: list[Path], volumes: bool, progress: bool) -> tuple[list[Found], Skipped]:
    """Look at every file; slices of DICOM and of stacks are put together and judged as one.

    Args:
        dataset_dir: folder that the files lie in.
        paths: the files.
        volumes: whether volumes are asked for, so that pictures may be slices; see `find_stacks`.
        progress: show a bar.

    Returns:
        the usable images, sorted by path, and ``{"path", "reason"}`` of each file, series or stack that is not.
    """
    found: list[Found] = []
    skipped: Skipped = []
    series: dict[tuple[str, str], list[Slice]] = {}
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        results = pool.map(lambda path: _inspect_file(dataset_dir, path), paths)
        for path, result in Bar(zip(paths, results, strict=True), "Scanning", len(paths), disable=not progress):
            relative = PurePosixPath(path.relative_to(dataset_dir).as_posix())
            if isinstance(result, Found):
                found.append(result)
            elif isinstance(result, Slice) and result.is_film:
                found.append(Found(relative, _dicom_stem(path), 2, result.patient))
            elif isinstance(result, Slice):
                series.setdefault((str(relative.parent), result.series), []).append(result)
            elif result:
                skipped.append({"path": str(relative), "reason": result})
    found = _join_pictures(dataset_dir, found, volumes, skipped) + _join_series(series, skipped)
    return sorted(found, key=lambda item: (str(item.path), item.series)), skipped


def _join_series(series: dict[tuple[str, str], list[Slice]], skipped: Skipped) -> list[Found]:
    """Return the volumes that series of slices form; the others are named in ``skipped``."""
    found = []
    folders = Counter(folder for folder, _ in series)
    for (folder, name), slices in sorted(series.items()):
        try:
            check_series(slices)
        except UnusableImageError as error:
            skipped.append({"path": folder, "reason": f"{slices[0].modality} series {name} {error}"})
            continue
        stem = "_".join(PurePosixPath(folder).parts)
        if folders[folder] > 1:
            stem = f"{stem}_{name.rsplit('.', 1)[-1]}"
        found.append(Found(PurePosixPath(folder), stem, 3, slices[0].patient, name))
    return found


def _inspect_file(dataset_dir: Path, path: Path) -> Found | Slice | str | None:
    """Return a usable image, a DICOM slice, the reason why the file is left out, or ``None`` for other files."""
    relative = PurePosixPath(path.relative_to(dataset_dir).as_posix())
    suffix = suffix_of(path)
    try:
        if suffix in SUFFIXES:
            reason = label_reason(relative, stem_of(path))
            return reason or Found(relative, stem_of(path), len(read_header(path).shape))
        if suffix in ARCHIVES:
            return "is an archive; unpack it first"
        if path.name.upper() != "DICOMDIR" and is_dicom(path):
            return label_reason(relative, "") or read_slice(path)
    except UnusableImageError as error:
        return str(error)
    return None


def _dicom_stem(path: Path) -> str:
    return path.stem if path.suffix.lower() in (".dcm", ".dicom", ".ima") else path.name


def _join_pictures(dataset_dir: Path, found: list[Found], volumes: bool, skipped: Skipped) -> list[Found]:
    """Put stacks in the place of their slices; stacks that cannot be used are named in ``skipped``."""
    stacks = find_stacks(dataset_dir, [item.path for item in found if item.num_axes == 2], volumes)
    found = [item for item in found if (item.path.parent, pattern_of(item.path)) not in stacks]
    folders = Counter(folder for folder, _ in stacks)
    for (folder, pattern), reason in stacks.items():
        if reason:
            skipped.append({"path": str(folder), "reason": f"stack {pattern} {reason}"})
            continue
        name = [PurePosixPath(pattern).stem.replace("*", "").strip("_-. ")] if folders[folder] > 1 else []
        found.append(Found(folder, "_".join([*folder.parts, *name]), 3, series=pattern))
    return found


def without_spacing(dataset_dir: Path, found: list[Found]) -> list[Found]:
    """Return the volumes whose spacing is in no file: arrays and pictures without ``spacing.txt`` beside them."""
    bare = [item for item in found if item.num_axes == 3 and (is_pattern(item.series) or _is_bare(item.path))]
    return [item for item in bare if spacing_in(dataset_dir / (item.path if item.series else item.path.parent)) is None]


def _is_bare(path: PurePosixPath) -> bool:
    return suffix_of(Path(path)) in (*NUMPY, *TIFF)

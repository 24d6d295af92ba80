"""Volumes stored as pictures: the numbered slices of a folder, or the pages of a TIFF file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from .formats import SPACING_FILE, TIFF, UnusableImageError, first_line, spacing_in
from .opened import MIN_SLICES, OpenImage, opened
from .pictures import grey_values, lps_affine

SLICES = (".png", *TIFF)
LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
# Slices of CT and MRI, 1 to 8 mm apart, gave 0.04 to 0.59; films and photographs in any order 0.4 to 1.4, mostly 0.7
# to 1.
MAX_DIFFERENCE = 0.6
NUM_COMPARED = 12
THUMBNAIL = (32, 32)


def pattern_of(path: PurePosixPath) -> str | None:
    """Return a slice's name with ``*`` for its last number, or ``None`` for a name that no slice has.

    Example:
        >>> pattern_of(PurePosixPath("exam/p1_slice_007.png"))
        'p1_slice_*.png'
        >>> pattern_of(PurePosixPath("exam/film.png")) is None
        True
    """
    found = LAST_NUMBER.fullmatch(path.stem)
    return f"{found[1]}*{found[3]}{path.suffix}" if found and path.suffix.lower() in SLICES else None


def is_pattern(series: str | None) -> bool:
    """Return whether the ``series`` of a record names a stack of pictures, not a DICOM series."""
    return "*" in (series or "")


def slices_of(folder: Path, pattern: str) -> list[Path]:
    """Return the pictures of a stack, ordered by their number (2 before 10)."""
    return [path for _, path in _numbered(folder, pattern)]


def _numbered(folder: Path, pattern: str) -> list[tuple[int, Path]]:
    before, _, after = pattern.rpartition("*")
    name = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    found = ((name.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[1]), path) for match, path in found if match)


def find_stacks(
    dataset_dir: Path, pictures: Iterable[PurePosixPath], wanted: bool
) -> dict[tuple[PurePosixPath, str], str | None]:
    """Find the stacks among pictures.

    A stack is what lies in one folder under names that differ in their last number only: at least 8 PNG or TIFF
    pictures of one size, numbered evenly, of which neighbours look more alike than distant ones. It is looked for where
    volumes are wanted, and in a folder that holds ``spacing.txt``, which says so and spares the comparison.

    Args:
        dataset_dir: folder that the paths are relative to.
        pictures: usable grey pictures.
        wanted: whether volumes are asked for.

    Returns:
        for each stack, by its folder and pattern, why it cannot be used, or ``None``; ordered.
    """
    counts = Counter((picture.parent, pattern_of(picture)) for picture in pictures)
    stacks: dict[tuple[PurePosixPath, str], str | None] = {}
    for (folder, pattern), number in sorted(counts.items(), key=str):
        declared = (dataset_dir / folder / SPACING_FILE).is_file()
        if pattern is None or not (declared or (wanted and number >= MIN_SLICES)):
            continue
        stacks[folder, pattern] = None
        try:
            there = open_stack(dataset_dir / folder, pattern).shape[2]
            if there > number:
                raise UnusableImageError(f"has {there - number} of {there} slices that cannot be used")
            if not declared:
                _check_neighbours(slices_of(dataset_dir / folder, pattern))
        except UnusableImageError as error:
            stacks[folder, pattern] = str(error)
        except OSError as error:
            stacks[folder, pattern] = f"cannot be read ({first_line(error)})"
    return stacks


def open_stack(folder: Path, pattern: str, is_label: bool = False) -> OpenImage:
    """Describe the volume (x, y, slices) that a stack forms; 1 mm where no ``spacing.txt`` gives the spacing.

    Raises:
        UnusableImageError: too few pictures, of different size, or with missing or repeated numbers.
    """
    numbered = _numbered(folder, pattern)
    if len(numbered) < MIN_SLICES:
        raise UnusableImageError(f"has {len(numbered)} slices, at least {MIN_SLICES} are needed")
    steps = np.diff([number for number, _ in numbered])
    usual = int(np.median(steps))
    if usual == 0 or (steps != usual).any():
        odd = int(np.flatnonzero((steps != usual) | (steps == 0))[0])
        first, second = (path.name for _, path in numbered[odd : odd + 2])
        raise UnusableImageError(f"is not numbered evenly, see {first} and {second}")
    sizes = set()
    for _, path in numbered:
        with Image.open(path) as picture:
            sizes.add(picture.size)
    if len(sizes) > 1:
        raise UnusableImageError(f"has pictures of different size, {min(sizes)} and {max(sizes)}")
    affine = lps_affine(spacing_in(folder) or (1.0, 1.0, 1.0))
    files = [path for _, path in numbered]
    return opened((*sizes.pop(), len(files)), affine, partial(_load, files, is_label), dtype=np.dtype(np.uint8))


def _load(files: Sequence[Path], is_label: bool) -> np.ndarray:
    pages = []
    for path in files:
        with Image.open(path) as picture:
            pages.append(grey_values(picture, is_label))
    return np.stack(pages).T


def _check_neighbours(files: Sequence[Path]) -> None:
    """Refuse pictures that differ from their neighbours about as much as from distant ones."""
    places = np.unique(np.linspace(0, len(files) - 2, NUM_COMPARED).astype(int))
    near = far = 0.0
    for place in places:
        here = _thumbnail(files[place])
        near += float(np.abs(here - _thumbnail(files[place + 1])).mean())
        far += float(np.abs(here - _thumbnail(files[(place + len(files) // 2) % len(files)])).mean())
    if near > MAX_DIFFERENCE * far:
        raise UnusableImageError(
            f"is taken for {len(files)} films, because neighbours are hardly more alike than distant ones. If they are "
            f"slices, write their spacing in mm to {SPACING_FILE} in that folder, such as '0.7 0.7 2.5' (x, y, slices)"
        )


def _thumbnail(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        grey = Image.fromarray(grey_values(picture).astype(np.float32))
        return np.asarray(grey.resize(THUMBNAIL, Image.Resampling.BOX))

"""Volumes stored as pictures: the numbered slices of a folder, or the pages of a TIFF file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from .formats import (
    MIN_SLICES,
    SPACING_FILE,
    TIFF,
    ImageHeader,
    UnusableImageError,
    first_line,
    further_pages,
    spacing_in,
)

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
            there = stack_header(dataset_dir / folder, pattern).shape[2]
            if there > number:
                raise UnusableImageError(f"has {there - number} of {there} slices that cannot be used")
            if not declared:
                _check_neighbours(slices_of(dataset_dir / folder, pattern))
        except UnusableImageError as error:
            stacks[folder, pattern] = str(error)
        except OSError as error:
            stacks[folder, pattern] = f"cannot be read ({first_line(error)})"
    return stacks


def stack_header(folder: Path, pattern: str) -> ImageHeader:
    """Return shape and spacing of the volume that a stack forms; 1 mm where no ``spacing.txt`` gives it.

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
    return ImageHeader((*sizes.pop(), len(numbered)), spacing_in(folder) or (1.0, 1.0, 1.0))


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
        return np.asarray(Image.fromarray(_grey(picture)).resize(THUMBNAIL, Image.Resampling.BOX))


def read_stack(folder: Path, pattern: str, is_label: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Read the slices of a stack as float32 (x, y, slices), with the affine of `lps_affine`; see `to_grey`."""
    header = stack_header(folder, pattern)
    pages = []
    for path in slices_of(folder, pattern):
        with Image.open(path) as picture:
            pages.append(_grey(picture, is_label))
    return np.stack(pages).T, lps_affine(header.spacing)


def read_tiff(path: Path, is_label: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Read a TIFF file as float32: (x, y) at 1 mm, or with several pages (x, y, pages) as `read_stack` does."""
    with Image.open(path) as picture:
        pages = [_grey(picture, is_label), *(_grey(page, is_label) for page in further_pages(picture))]
    if len(pages) == 1:
        return pages[0].T, np.eye(4)
    return np.stack(pages).T, lps_affine(spacing_in(path.parent) or (1.0, 1.0, 1.0))


def lps_affine(spacing: Sequence[float]) -> np.ndarray:
    """Return the 4x4 affine, voxel to RAS mm, of axial slices as they are shown.

    Columns run towards the patient's left, rows towards the back and slices upwards, as in an axial DICOM series.
    """
    return np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])


def _grey(picture: Image.Image, is_label: bool = False) -> np.ndarray:
    return np.asarray(to_grey(picture, is_label), dtype=np.float32)


def to_grey(picture: Image.Image, is_label: bool = False) -> Image.Image:
    """Return a picture in a grey mode of its own depth; a label map keeps the indices of its palette, or 0 and 1."""
    if is_label and picture.mode in ("1", "P"):
        return picture
    return picture if picture.mode in ("L", "F", "I") or picture.mode.startswith("I;16") else picture.convert("L")

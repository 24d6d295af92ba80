"""What lies in a folder: volumes, pictures, DICOM series and stacks that can be used, and the reasons of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...utils.progress import Bar
from ..readers.content import head_of, kind_of
from ..readers.dicom import Slice, is_dicom, open_film, read_slice
from ..readers.files import check_image, companions, open_file
from ..readers.formats import (
    ARCHIVES,
    DICOM,
    NUMPY,
    SPACING_FILE,
    SUFFIXES,
    TIFF,
    UnusableImageError,
    spacing_in,
    stem_of,
    suffix_of,
)
from ..readers.opened import ImageHeader, OpenImage
from ..readers.series import Odd, check_series, volume_of
from ..readers.stacks import find_stacks, is_pattern, open_stack, pattern_of
from .naming import label_reason
from .walking import Skipped

NUM_THREADS = 8
WITH_DATA_ELSEWHERE = (".mhd", ".nhdr", ".hdr")


@dataclass(frozen=True)
class Found:
    """A usable image: path relative to the folder, short name, header, and what is known of it.

    ``patient`` and ``modality`` are those of DICOM and may be empty; ``series`` is that of DICOM, or the pattern of a
    stack; ``unoriented`` says why position and direction are not known, ``oddity`` what a person should look at;
    ``kind`` is the format.
    """

    path: PurePosixPath
    stem: str
    header: ImageHeader
    kind: str
    patient: str = ""
    series: str = ""
    modality: str = ""
    unoriented: str = ""
    oddity: str = ""

    @property
    def num_axes(self) -> int:
        """2 or 3."""
        return len(self.header.shape)


@dataclass(frozen=True)
class _Unknown:
    """A file of no kind that is read."""

    suffix: str


def inspect_files(
    dataset_dir: Path, paths: list[Path], volumes: bool, progress: bool, accept_unoriented: bool = False
) -> tuple[list[Found], Skipped]:
    """Look at every file; slices of DICOM and of stacks are put together and judged as one.

    Args:
        dataset_dir: folder that the files lie in.
        paths: the files.
        volumes: whether volumes are asked for, so that pictures may be slices; see `find_stacks`.
        progress: show a bar.
        accept_unoriented: use images whose header has no orientation, axes as stored.

    Returns:
        the usable images, sorted by path, and ``{"path", "reason"}`` of each file, series or stack that is not; files
        of unknown kinds as one for each suffix.
    """
    found: list[Found] = []
    skipped: Skipped = []
    unknown: dict[str, list[str]] = {}
    series: dict[tuple[str, str], list[Slice]] = {}
    paths = _without_companions(paths)
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        results = pool.map(lambda path: _inspect_file(dataset_dir, path, accept_unoriented), paths)
        for path, result in Bar(zip(paths, results, strict=True), "Scanning", len(paths), disable=not progress):
            relative = PurePosixPath(path.relative_to(dataset_dir).as_posix())
            if isinstance(result, Found):
                found.append(result)
            elif isinstance(result, Slice):
                series.setdefault((str(relative.parent), result.series), []).append(result)
            elif isinstance(result, _Unknown):
                unknown.setdefault(result.suffix, []).append(str(relative))
            else:
                skipped.append({"path": str(relative), "reason": result})
    skipped += [_of_suffix(suffix, names) for suffix, names in unknown.items()]
    found = _join_pictures(dataset_dir, found, volumes, skipped) + _join_series(dataset_dir, series, skipped)
    return sorted(found, key=lambda item: (str(item.path), item.series)), skipped


def _without_companions(paths: Iterable[Path]) -> list[Path]:
    """Leave out what belongs to another file: voxels of a header, spacings, indices of DICOM."""
    paths = list(paths)
    others = {file for path in paths if suffix_of(path) in WITH_DATA_ELSEWHERE for file in companions(path)}
    return [
        path
        for path in paths
        if path not in others and path.name != SPACING_FILE and path.name.upper() not in ("DICOMDIR", "DICOMDIR.DCM")
    ]


def _of_suffix(suffix: str, names: list[str]) -> dict[str, str]:
    """Return one line for all files of an unknown kind."""
    kind = f"of kind {suffix}" if suffix else "without suffix"
    number = f"one of {len(names)} files {kind}, which are" if len(names) > 1 else f"a file {kind}, which is"
    return {"path": names[0], "reason": f"is {number} not read"}


def _inspect_file(dataset_dir: Path, path: Path, accept_unoriented: bool) -> Found | Slice | _Unknown | str:
    """Return a usable image, a DICOM slice, the reason why the file is left out, or that its kind is unknown."""
    relative = PurePosixPath(path.relative_to(dataset_dir).as_posix())
    suffix = suffix_of(path)
    try:
        if suffix in SUFFIXES:
            if reason := label_reason(relative, stem_of(path)):
                return reason
            image = check_image(open_file(path), accept_unoriented)
            return _found(relative, stem_of(path), image, suffix)
        if suffix in ARCHIVES:
            return "is an archive; unpack it first"
        if is_dicom(path):
            return label_reason(relative, "") or _inspect_dicom(relative, path)
        kind = kind_of(head_of(path))
    except UnusableImageError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return f"is {kind[0]} by its content; call it {kind[1]}" if kind else _Unknown(suffix)


def _inspect_dicom(relative: PurePosixPath, path: Path) -> Found | Slice:
    item = read_slice(path)
    if not item.is_film:
        return item
    stem = path.stem if path.suffix.lower() in DICOM else path.name
    return _found(relative, stem, open_film(path), "DICOM film", patient=item.patient, modality=item.modality)


def _found(path: PurePosixPath, stem: str, image: OpenImage, kind: str, **more: str) -> Found:
    return Found(path, stem, image.header, kind, unoriented=image.unoriented, oddity=image.oddity, **more)


def _join_series(dataset_dir: Path, series: dict[tuple[str, str], list[Slice]], skipped: Skipped) -> list[Found]:
    """Return the volumes that series of slices form; the others, and odd images, are named in ``skipped``."""
    found: list[Found] = []
    folders = Counter(folder for folder, _ in series)
    parts = Counter(name for _, name in series)
    copies: dict[frozenset[str], str] = {}
    for (folder, name), slices in sorted(series.items()):
        instances = frozenset(item.instance for item in slices)
        first = copies.setdefault(instances, folder)
        try:
            if first != folder and "" not in instances:
                raise UnusableImageError(f"is a copy of that in {first}")
            ordered, odd = check_series(slices)
            image = volume_of(ordered)
        except UnusableImageError as error:
            split = f"; slices of it lie in {parts[name]} folders, put them into one" if parts[name] > 1 else ""
            split = "" if "is a copy" in str(error) else split
            skipped.append({"path": folder, "reason": f"{slices[0].modality} series {name} {error}{split}"})
            continue
        skipped += _named(dataset_dir, odd)
        stem = "_".join(PurePosixPath(folder).parts)
        if folders[folder] > 1:
            stem = f"{stem}_{name.rsplit('.', 1)[-1]}"
        kind, item = "DICOM series", slices[0]
        more = {"patient": item.patient, "series": name, "modality": item.modality}
        found.append(_found(PurePosixPath(folder), stem, image, kind, **more))
    return found


def _named(dataset_dir: Path, odd: Odd) -> Skipped:
    return [{"path": Path(file).relative_to(dataset_dir).as_posix(), "reason": odd[file]} for file in sorted(odd)]


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
        image = open_stack(dataset_dir / folder, pattern)
        found.append(_found(folder, "_".join([*folder.parts, *name]), image, "stack of pictures", series=pattern))
    return found


def without_spacing(dataset_dir: Path, found: list[Found]) -> list[Found]:
    """Return the volumes whose spacing is in no file: arrays and pictures without ``spacing.txt`` beside them."""
    bare = [item for item in found if item.num_axes == 3 and (is_pattern(item.series) or _is_bare(item.path))]
    return [item for item in bare if spacing_in(dataset_dir / (item.path if item.series else item.path.parent)) is None]


def _is_bare(path: PurePosixPath) -> bool:
    return suffix_of(Path(path)) in (*NUMPY, *TIFF)

"""Pre-training must not see what a target task is tested on."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ...utils.errors import AbsentError, UserError
from ...utils.progress import Bar
from ..readers.reading import open_source
from ..readers.stacks import is_pattern
from ..readers.volumes import read_channels
from ..records import Datalist, Record, images_of

logger = logging.getLogger(__name__)

NUM_THREADS = 8
MOST_NAMED = 5

Key = TypeVar("Key", bound=Hashable)


def check_leakage(
    datalist: Datalist, dataset_dir: str | Path, targets: Sequence[str | Path], progress: bool = True
) -> None:
    """Refuse a data list that holds test images of target tasks.

    Images are the same if they have the same id, or the same SeriesInstanceUID (also where one of them is named by it),
    or, where names tell nothing, the same voxels in canonical axes. Voxels are read of images alone whose size occurs
    on both sides; for this the images of the target task have to lie where they lay when its list was written.

    Args:
        datalist: images of a pre-training, whatever their split.
        dataset_dir: folder that its paths are relative to.
        targets: files with the data lists of target tasks.
        progress: show a bar while voxels are read.

    Raises:
        AbsentError: a file is absent.
        UserError: an image is in both, or a file is damaged.
    """
    own = {name: record["id"] for record in datalist.records for name in _names(record)}
    for path in targets:
        if not Path(path).is_file():
            raise AbsentError(f"{path}, a data list of target_datalists, does not exist; correct the path.")
        target = Datalist.load(path)
        both = {own[name]: record["id"] for record in target.test for name in _names(record) if name in own}
        if not both:
            both = _same_voxels(datalist.records, Path(dataset_dir), target, path, progress)
        if both:
            pairs = [name if name == other else f"{name} (there {other})" for name, other in sorted(both.items())]
            raise UserError(
                f"{len(both)} images are to be pre-trained on and are test images of {path}: "
                f"{', '.join(pairs[:MOST_NAMED])}. Take them out of the folder and delete the data list, or out of the "
                "data list alone."
            )


def _names(record: Record) -> set[str]:
    """Return what a record is known by: its id, and the SeriesInstanceUID where it has one."""
    series = record.get("series")
    return {record["id"], *([series] if series and not is_pattern(series) else [])}


def _same_voxels(
    records: Sequence[Record], folder: Path, target: Datalist, path: str | Path, progress: bool
) -> dict[str, str]:
    """Return the id of each image that holds the voxels of a test image of a target task, and the id of that one."""
    where = Path(target.folder) if target.folder else None
    if where is None or not target.test or not all((where / images_of(record)[0]).exists() for record in target.test):
        if target.test:
            logger.info(f"The images of {path} are not where they were, so they are compared by their names alone.")
        return {}
    sizes, others = _keys(records, folder, _size), _keys(target.test, where, _size)
    common = set(sizes.values()) & set(others.values())
    chosen = [record for record in records if sizes.get(record["id"]) in common]
    tested = [record for record in target.test if others.get(record["id"]) in common]
    if not chosen:
        return {}
    text = f"Comparing with {Path(path).name}" if progress else None
    of_hash = {digest: name for name, digest in _keys(tested, where, _digest, text).items()}
    found = _keys(chosen, folder, _digest, text)
    return {name: of_hash[digest] for name, digest in found.items() if digest in of_hash}


def _keys(
    records: Sequence[Record], folder: Path, key_of: Callable[[Record, Path], Key], text: str | None = None
) -> dict[str, Key]:
    """Return what ``key_of`` says of each image that can be read, by its id."""

    def key(record: Record) -> Key | None:
        try:
            return key_of(record, folder)
        except Exception:  # readers raise many kinds; an image that cannot be read is trained on by nobody
            return None

    with ThreadPoolExecutor(NUM_THREADS) as pool:
        keys = list(Bar(pool.map(key, records), text, len(records), disable=text is None))
    return {record["id"]: found for record, found in zip(records, keys, strict=True) if found is not None}


def _size(record: Record, folder: Path) -> tuple[int, ...]:
    """Return the lengths of an image, sorted, as its axes may be stored in any order, from its header."""
    return tuple(sorted(open_source(folder / images_of(record)[0], record.get("series")).shape))


def _digest(record: Record, folder: Path) -> str:
    """Return a hash of the voxels of an image in canonical axes."""
    sources = [folder / path for path in images_of(record)]
    digest = hashlib.blake2b(digest_size=16)
    unoriented = bool(record.get("unoriented"))
    for volume in read_channels(sources, record.get("series"), unoriented=unoriented):
        digest.update(repr((volume.array.shape, volume.array.dtype.name, volume.scale, volume.offset)).encode())
        digest.update(volume.array.tobytes())
    return digest.hexdigest()

"""Images made canonical once; afterwards reading a box costs what the box costs, not the volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...utils.files import write_atomic
from ..intensity import IntensityRange, Window, checked_range
from ..records import Datalist
from .build import CacheBuilder, array_path
from .index import CacheEntry, check_ids
from .resampling import resize


class VolumeCache:
    """Read access to cached images, by id.

    It holds no open files, so it can be sent to worker processes.

    Args:
        cache_dir: folder that holds ``arrays`` and ``overviews``.
        entries: description of each image that can be read, in the order of the data list.
        skipped: reason for each image that cannot.
    """

    def __init__(self, cache_dir: Path, entries: dict[str, CacheEntry], skipped: dict[str, str]) -> None:
        self.cache_dir = cache_dir
        self.skipped = skipped
        self._entries = entries

    @property
    def ids(self) -> list[str]:
        """Ids that can be read, in the order of the data list."""
        return list(self._entries)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Voxels along each axis, per image."""
        return [entry.shape for entry in self._entries.values()]

    @property
    def spacings(self) -> list[tuple[float, ...]]:
        """Spacing along each axis in mm, per image."""
        return [entry.spacing for entry in self._entries.values()]

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, name: str) -> CacheEntry:
        """Return the description of an image; ``KeyError`` with the reason for an id that is not there."""
        if name not in self._entries:
            raise KeyError(f"The image {name!r} is not in {self.cache_dir}: {self.skipped.get(name, 'unknown id')}.")
        return self._entries[name]

    def array(self, name: str) -> np.ndarray:
        """Return the stored integers, mapped from disk; physical value = stored * scale + offset.

        Raises:
            FileNotFoundError: the array was deleted after the cache was opened.
            ValueError: the file does not hold what the index says.
        """
        entry = self.entry(name)
        path = array_path(self.cache_dir, entry.key)
        try:
            stored: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{path} was deleted while it was in use; run again to make it anew.") from error
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path} is damaged ({error}); delete it and run again to make it anew.") from error
        if (stored.shape, stored.dtype.name) != (entry.shape, entry.dtype):
            raise ValueError(
                f"{path} holds {stored.dtype.name} of shape {stored.shape}, but the index of the cache says "
                f"{entry.dtype} of shape {entry.shape}; delete it and run again to make it anew."
            )
        return stored

    def window(self, name: str, intensity_range: IntensityRange) -> Window:
        """Return the physical values of an image that become 0 and 1.

        Args:
            name: id of the image.
            intensity_range: the two values themselves, or ``percentile`` or ``zscore`` for those of this image.

        Raises:
            ValueError: ``intensity_range`` is neither.
        """
        wanted = checked_range(intensity_range)
        if not isinstance(wanted, str):
            return wanted
        low, high = self.entry(name).windows[wanted]
        return low, high

    def read_box(self, name: str, box: Sequence[Sequence[int]], size: Sequence[int] | None = None) -> np.ndarray:
        """Read one box in physical units (HU for CT).

        Only the pages of the box are read. What lies outside the image has the background value. Another ``size`` is
        reached by linear interpolation that averages where it shrinks (`resize`); no voxel outside the box takes part.

        Args:
            name: id of the image.
            box: ``[[start, stop], ...]`` in voxels, half-open, one pair per axis; it may leave the image.
            size: voxels per axis of the result; the box's own if ``None``.

        Returns:
            float32 array.

        Raises:
            ValueError: the box does not fit the image's number of axes or is empty.
        """
        entry = self.entry(name)
        if len(box) != len(entry.shape) or any(stop <= start for start, stop in box):
            raise ValueError(
                f"The box {box} does not fit {name} of shape {entry.shape}; "
                "give [start, stop] with start < stop for each axis."
            )
        values = np.full([stop - start for start, stop in box], entry.minimum, dtype=np.float32)
        inside = [(max(start, 0), min(stop, length)) for (start, stop), length in zip(box, entry.shape, strict=True)]
        if all(start < stop for start, stop in inside):
            stored = self.array(name)[tuple(slice(start, stop) for start, stop in inside)]
            target = tuple(
                slice(start - outer[0], stop - outer[0]) for (start, stop), outer in zip(inside, box, strict=True)
            )
            values[target] = _physical(stored, entry)
        return values if size is None or tuple(size) == values.shape else resize(values, size)

    def overview(self, name: str, size: Sequence[int]) -> np.ndarray:
        """Return the whole image resized to ``size`` voxels, in physical units.

        It is computed once and kept beside the arrays, rounded to the stored type.

        Returns:
            float32 array of shape ``size``.
        """
        entry = self.entry(name)
        path = self.cache_dir / "overviews" / "x".join(str(int(length)) for length in size) / f"{entry.key}.npy"
        if not path.is_file():
            stored = np.rint(resize(self.array(name), size)).astype(entry.dtype)
            write_atomic(path, lambda file: np.save(file, stored))
        return _physical(np.load(path, allow_pickle=False), entry)


def _physical(stored: np.ndarray, entry: CacheEntry) -> np.ndarray:
    values = stored.astype(np.float32)
    if entry.scale != 1:
        values *= np.float32(entry.scale)
    if entry.offset != 0:
        values += np.float32(entry.offset)
    return values


def open_cache(
    datalist: Datalist,
    dataset_dir: str | Path,
    cache_dir: str | Path,
    spacing: Sequence[float] | None = None,
    num_workers: int = 2,
    progress: bool = True,
) -> VolumeCache:
    """Make or reuse the cache of all images of a data list.

    ``cache_dir`` gets ``index.json`` and one array per image and spacing. An image is made again when its source file,
    its size or time stamp, or ``spacing`` changes; what was there before stays, so that runs with other images or
    another spacing can use the folder at the same time. An image that cannot be used is left out with the reason and
    never ends the run.

    Args:
        datalist: the images.
        dataset_dir: folder that the images' paths are relative to.
        cache_dir: folder of the cache; several runs may share it.
        spacing: mm per axis to resample to; each image's own if ``None``.
        num_workers: threads that read images.
        progress: show a bar.

    Returns:
        the cache, restricted to the data list.

    Raises:
        OSError: the disk is too small; the sentence names what is needed.
        ValueError: none of the images can be used, or an id cannot be a file name.
    """
    records = datalist.records
    check_ids([record["id"] for record in records])
    folders = Path(dataset_dir).absolute(), Path(cache_dir).absolute()
    entries, skipped = CacheBuilder(*folders, spacing, num_workers, progress).build(records)
    if not entries:
        reasons = "; ".join(f"{name} {reason}" for name, reason in list(skipped.items())[:3]) or "none listed"
        raise ValueError(f"None of the {len(records)} images under {dataset_dir} can be used: {reasons}.")
    return VolumeCache(folders[1], entries, skipped)

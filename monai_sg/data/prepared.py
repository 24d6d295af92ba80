"""Items whose deterministic transforms are computed once and kept on disk, memory-mapped."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import Dataset, MetaTensor
from monai.data.utils import pickle_hashing
from monai.transforms import Compose

from ..utils.causes import causes
from ..utils.distributed import gathered, rank
from ..utils.errors import UserError
from ..utils.files import write_atomic
from ..utils.folder_lock import folder_lock
from ..utils.progress import Bar
from .cache.index import fingerprint_of
from .labels import LABEL_VALUES
from .left_out import warn_of
from .readers.formats import UnusableImageError, first_line, stem_of
from .records import has_map, images_of
from .seeded import SeededDataset
from .window_fit import check_fit
from .window_intensity import QUANTILES

logger = logging.getLogger(__name__)

VERSION = 3
"""Of the prepared records; another one prepares all anew."""

Record = dict[str, Any]


class PreparedDataset(SeededDataset):
    """A `SeededDataset` of records with files, such as ``{"image", "label"}``, that are read once.

    The deterministic ``preparation`` of each record is written to ``cache_dir`` when the data set is made. From then on
    an item is memory-mapped, so that a random crop costs what the crop costs. A prepared record is used again as long
    as its files (path, size, time stamp; those of a series, a stack or a header count) and the preparation stay the
    same. A record that cannot be prepared is left
    out with the reason, logged and kept in ``skipped``, and never ends the run. (MONAI's ``PersistentDataset`` reads
    whole items and knows files by their path alone.)

    Args:
        data: records; ``image`` and ``label`` name files or folders. Without ``id`` it is the file name of ``image``.
        preparation: deterministic transforms of a record.
        transform: random transforms of a prepared record, seeded per item.
        cache_dir: folder of the prepared records, which several runs may share.
        seed: see `SeededDataset`.
        num_workers: threads that prepare.
        fallback: records that are used, with a warning, when ``data`` is empty or none of it can be used.
        progress: show a bar.

    Raises:
        UserError: no record can be used, or most images do not fit the window that they are scaled by.
    """

    def __init__(
        self,
        data: Sequence[Record],
        preparation: Compose,
        transform: Sequence[Callable[..., Any]] | Callable[..., Any] | None = None,
        *,
        cache_dir: str | Path,
        seed: int = 0,
        num_workers: int = 2,
        fallback: Sequence[Record] | None = None,
        progress: bool = True,
    ) -> None:
        self.preparation = preparation
        self.cache_dir = Path(cache_dir) / "prepared"
        self.skipped: dict[str, str] = {}
        self._facts: list[Record] = []
        usable = self._usable(data, num_workers, progress)
        if not usable and fallback:
            logger.warning(f"There are no records of their own, so {len(fallback)} training records are validated on.")
            usable = self._usable(fallback, num_workers, progress)
        if self.skipped and not usable:
            reasons = "; ".join(f"{name} {reason}" for name, reason in list(self.skipped.items())[:3])
            raise UserError(f"None of the {len(self.skipped)} records can be used: {reasons}.")
        self._check_fit(usable)
        super().__init__(usable, transform, seed)

    def _check_fit(self, records: Sequence[Record]) -> None:
        """Compare the values of the images with the window that they are scaled by; see `check_fit`."""
        found = {
            record["id"]: facts[QUANTILES]
            for record, facts in zip(records, self._facts, strict=True)
            if QUANTILES in facts
        }
        if found:
            window = next(iter(found.values()))["window"]
            check_fit({name: each["channels"] for name, each in found.items()}, (window[0], window[1]))

    def _usable(self, data: Sequence[Record], num_workers: int, progress: bool) -> list[Record]:
        """Prepare records; return those that can be used and keep the reasons of the others."""
        records = [{**record, "id": record.get("id") or stem_of(Path(images_of(record)[0]))} for record in data]
        results = self._prepare(records, num_workers, progress)
        reasons = gathered([result if isinstance(result, str) else "" for result in results])
        usable = []
        for record, result, why in zip(records, results, zip(*reasons, strict=True), strict=True):
            if isinstance(result, str) or any(why):  # what one process cannot read is left out on all
                self.skipped[record["id"]] = next(filter(None, why))
            else:
                usable.append(record)
                self._facts.append(result)
        return usable

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Voxels along each axis, per prepared image."""
        return [tuple(facts["shape"]) for facts in self._facts]

    @property
    def spacings(self) -> list[tuple[float, ...]]:
        """Spacing along each axis in mm, per prepared image."""
        return [tuple(facts["spacing"]) for facts in self._facts]

    @property
    def empty_labels(self) -> list[list[float]]:
        """Values of each label map that has no foreground."""
        return [facts[LABEL_VALUES] for facts in self._facts if LABEL_VALUES in facts]

    def prepared(self, index: int) -> Record:
        """Return a prepared record, memory-mapped, before the random transforms."""
        stored = torch.load(self._path(self._facts[index]["key"]), mmap=True, weights_only=True)
        return {**self.data[index], **stored["arrays"]}

    def _transform(self, index: int) -> Any:
        item = self.prepared(index)
        return item if self.transform is None else self.transform(item)

    def _path(self, key: str) -> Path:
        return self.cache_dir / f"{key}.pt"

    def _prepare(self, records: Sequence[Record], num_workers: int, progress: bool) -> list[Record | str]:
        """Prepare in threads what is missing; return key, shape and spacing of each record, or why it is left out."""
        steps = pickle_hashing(self.preparation.flatten().transforms).decode()
        keys = [_key(record, steps) for record in records]
        complete = all(isinstance(key, OSError) or self._path(key).is_file() for key in keys)

        def one(record: Record, key: str | OSError) -> Record | str:
            try:
                return self._prepare_one(record, key)
            except Exception as error:  # readers raise many kinds; the record is left out and the reason logged
                return why_unusable(error)

        lock = folder_lock(self.cache_dir.with_suffix(".lock"), str(self.cache_dir))
        with nullcontext() if complete else lock, ThreadPoolExecutor(max(1, num_workers)) as pool:
            results = pool.map(one, records, keys)
            prepared = list(Bar(results, "Preparing images", len(records), disable=not progress or rank() > 0))
        left_out = [(record, each) for record, each in zip(records, prepared, strict=True) if isinstance(each, str)]
        warn_of({", ".join(images_of(record)): reason for record, reason in left_out})
        return prepared

    def _prepare_one(self, record: Record, key: str | OSError) -> Record:
        if isinstance(key, OSError):
            raise key
        path = self._path(key)
        if path.is_file():
            try:
                return {**torch.load(path, mmap=True, weights_only=True)["facts"], "key": key}
            except Exception as error:  # torch raises many kinds on a damaged file
                logger.warning(f"{path} is damaged ({first_line(error)}); it is made again.")
        item = self.preparation(record, threading=True)
        image = item["image"]
        spacing = image.pixdim if isinstance(image, MetaTensor) else [1.0] * (image.ndim - 1)
        facts = {"shape": list(image.shape[1:]), "spacing": [round(float(value), 6) for value in spacing]}
        if isinstance(image, MetaTensor) and QUANTILES in image.meta:
            facts[QUANTILES] = image.meta[QUANTILES]
        label = item.get("label")
        if isinstance(label, MetaTensor) and LABEL_VALUES in label.meta:
            facts[LABEL_VALUES] = label.meta[LABEL_VALUES]
        changed = {name: value for name, value in item.items() if name not in record or value is not record[name]}
        write_atomic(path, lambda file: torch.save({"facts": facts, "arrays": _plain(changed)}, file))
        return {**facts, "key": key}


class NamedDataset(Dataset):
    """MONAI's data set of records with files, for runs that must not leave one out: an error names the record.

    Args:
        data: records with ``image`` and, if there is one, ``id``.
        transform: transforms of a record.

    Raises:
        UnusableImageError: when a record is asked for that cannot be used.
    """

    def _transform(self, index: int) -> Any:
        try:
            return super()._transform(index)
        except Exception as error:  # as in `PreparedDataset`
            record = self.data[index]
            name = record.get("id") or record["image"]
            raise UnusableImageError(
                f"{name} {why_unusable(error)}. Correct it, or take it out of the data list."
            ) from error


def _key(record: Record, steps: str) -> str | OSError:
    """Return what a prepared record is named by: its files as they are now, and the preparation."""
    named = [record, *([{**record, "image": record["label"]}] if has_map(record) else [])]
    try:
        files = [fingerprint_of(each, Path(), None) for each in named]
    except OSError as error:
        return error
    return hashlib.sha256(json.dumps([VERSION, files, steps]).encode()).hexdigest()[:24]


def _plain(value: Any) -> Any:
    """Return arrays and tensors as tensors of their own, without metadata, in the same dictionaries and lists."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    return torch.as_tensor(value).as_subclass(torch.Tensor).contiguous() if isinstance(value, torch.Tensor) else value


def why_unusable(error: BaseException) -> str:
    """Return why a record cannot be prepared, from the error that a chain of transforms wrapped.

    The sentence is that of the reader or the check, not that of a library below it nor of what passed it on.
    """
    chain = list(causes(error))
    ours = [each for each in chain if isinstance(each, UnusableImageError)]
    if ours:
        path = next((each.path for each in ours if each.path), "")
        return f"has the label map {path}, which {ours[-1]}" if path else str(ours[-1])
    return f"cannot be prepared ({type(chain[-1]).__name__}: {first_line(chain[-1])})"

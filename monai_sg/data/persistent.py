"""MONAI's data set that keeps on disk what does not change, with random transforms seeded per item."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monai.data import PersistentDataset
from monai.data.utils import pickle_hashing
from monai.transforms import Compose

from .seeded import Seeded

logger = logging.getLogger(__name__)

Record = dict[str, Any]


class SeededPersistentDataset(Seeded, PersistentDataset):
    """Records whose deterministic ``preparation`` is computed once and kept, as MONAI's ``PersistentDataset`` does.

    For bundles that go without the package: unlike `PreparedDataset` it knows files by their path alone, reads a whole
    item for every crop, and ends at a record that cannot be read.

    Args:
        data: records; ``image`` and ``label`` name files. Without ``id`` it is the file name of ``image``.
        preparation: deterministic transforms of a record.
        transform: random transforms of a prepared record, seeded per item.
        cache_dir: folder of the prepared records.
        seed: see `SeededDataset`.
        fallback: records that are used, with a warning, when ``data`` is empty.
    """

    def __init__(
        self,
        data: Sequence[Record],
        preparation: Compose,
        transform: Callable[..., Any],
        *,
        cache_dir: str | Path,
        seed: int = 0,
        fallback: Sequence[Record] = (),
    ) -> None:
        if not data:
            logger.warning(f"There are no records of their own, so {len(fallback)} training records are validated on.")
        records = [{**record, "id": record.get("id") or Path(record["image"]).name} for record in data or fallback]
        super().__init__(records, preparation.flatten(), cache_dir, hash_transform=pickle_hashing)
        self.seed, self.random = seed, transform

    @property
    def seeded(self) -> Any:
        """The random transforms."""
        return self.random

    def _transform(self, index: int) -> Any:
        return self.random(self._cachecheck(self.data[index]))

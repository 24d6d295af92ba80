"""A loader of whole images that goes on without those that cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from monai.data import DataLoader, Dataset, list_data_collate
from torch.utils.data import Dataset as TorchDataset

from ..utils.errors import UserError
from ..utils.progress import Bar
from .prepared import why_unusable

logger = logging.getLogger(__name__)

MAX_NAMED = 3


class UsableImages:
    """Batches of one image each, in order; an image that cannot be read or transformed is left out with the reason.

    The reason is logged at once, and the number of such images at the end. How many batches there will be is not known,
    so there is no length, which MONAI's engines allow.

    Args:
        dataset: MONAI's data set of records with ``image`` and, if there is one, ``id``.
        num_workers: processes that load images.
        progress: show a bar.

    Raises:
        UserError: at the end, when no image could be used.
    """

    def __init__(self, dataset: Dataset, num_workers: int = 0, progress: bool = True) -> None:
        self.records = dataset.data
        self.progress = progress
        self.loader = DataLoader(_Tried(dataset), num_workers=num_workers, batch_size=None, collate_fn=_as_is)

    def __iter__(self) -> Iterator[Any]:
        skipped: dict[str, str] = {}
        batches = Bar(self.loader, "Images", len(self.records), disable=not self.progress)
        for record, batch in zip(self.records, batches, strict=True):
            if isinstance(batch, str):
                name = record.get("id") or record["image"]
                skipped[name] = batch
                logger.warning(f"{name} {batch}; it is left out.")
            else:
                yield batch
        reasons = "; ".join(f"{name} {reason}" for name, reason in list(skipped.items())[:MAX_NAMED])
        if skipped and len(skipped) == len(self.records):
            raise UserError(f"None of the {len(skipped)} images can be used: {reasons}.")
        if skipped:
            logger.warning(f"{len(skipped)} of {len(self.records)} images were left out: {reasons}.")


class _Tried(TorchDataset[Any]):
    """The batches of a data set, or in their place why an image cannot be used."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        try:
            return list_data_collate([self.dataset[index]])
        except Exception as error:  # as in `PreparedDataset`
            return why_unusable(error.__cause__ or error)  # the cause: a `NamedDataset` has put the name before it


def _as_is(batch: Any) -> Any:
    return batch

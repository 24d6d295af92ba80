"""Pre-training must not see what a target task is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...utils.errors import AbsentError, UserError
from ..records import Datalist


def check_leakage(datalist: Datalist, targets: Sequence[str | Path]) -> None:
    """Refuse a data list that holds test images of target tasks, compared by id.

    Args:
        datalist: images of a pre-training, whatever their split.
        targets: files with the data lists of target tasks.

    Raises:
        FileNotFoundError: a file is absent.
        ValueError: an image is in both, or a file is damaged.
    """
    ids = {record["id"] for record in datalist.records}
    for path in targets:
        if not Path(path).is_file():
            raise AbsentError(f"{path}, a data list of target_datalists, does not exist; correct the path.")
        both = sorted(ids & {record["id"] for record in Datalist.load(path).test})
        if both:
            raise UserError(
                f"{len(both)} images are to be pre-trained on and are test images of {path}: {', '.join(both[:5])}. "
                "Take them out of the folder and delete the data list, or out of the data list alone."
            )

"""Data lists of a labelled folder: one to fine-tune with, and one to pre-train with that lacks its test images.

python -m tests.benchmarks.lists DATA FOLDER writes FOLDER/target.json and FOLDER/pretraining.json.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from monai_sg.data.datasets.labelled_folder import LabelledFolder
from monai_sg.data.datasets.opening import open_datalist
from monai_sg.data.records import Record


def write_lists(data: Path, folder: Path) -> tuple[Path, Path]:
    """Write both lists; the split by patient is that of ``compare`` with the same ``split_seed``, 0."""
    target, unlabelled = folder / "target.json", folder / "pretraining.json"
    found = open_datalist(target, data, [LabelledFolder()])
    own = {"training": _unlabelled(found.training), "validation": _unlabelled(found.validation)}
    return target, replace(found, **own, test=[], skipped=[]).save(unlabelled)


def _unlabelled(records: list[Record]) -> list[Record]:
    return [{name: value for name, value in record.items() if name != "label"} for record in records]


if __name__ == "__main__":
    print(*write_lists(Path(sys.argv[1]), Path(sys.argv[2])), sep="\n")

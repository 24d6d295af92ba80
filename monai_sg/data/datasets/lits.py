"""LiTS-2017, liver and liver tumours in CT, as it is shipped."""

from __future__ import annotations

import logging
import re
from pathlib import Path, PurePosixPath

from ..records import SPLITS, Datalist
from .pairs import Pair, log_skipped, usable_pairs
from .walking import walk_files

logger = logging.getLogger(__name__)

SPLIT_OF = {
    **dict.fromkeys(range(100), "training"),
    **dict.fromkeys(range(100, 115), "validation"),
    **dict.fromkeys(range(115, 130), "test"),
}
"""The split that Models Genesis and its successors use, by the number of the scan."""

NAME = re.compile(r"(volume|segmentation|test-volume)-(\d+)\.nii(?:\.gz)?", re.I)


class LiTS:
    """LiTS-2017 with its usual split: scans 0-99 train, 100-114 validate, 115-129 test.

    Volumes and segmentations may lie in one folder or in any subfolders, such as "Training Batch 1". Each scan counts
    as its own patient. A split may be empty.

    Args:
        progress: show a bar while headers are compared.
    """

    name = "LiTS-2017"
    layout = "volume-N.nii with segmentation-N.nii (LiTS-2017)"

    def __init__(self, progress: bool = True) -> None:
        self.progress = progress

    def matches(self, folder: Path) -> bool:
        """Return whether there are a ``volume-N.nii`` and a ``segmentation-N.nii`` (or .nii.gz)."""
        kinds = {found[1].lower() for path in walk_files(folder) if (found := NAME.fullmatch(path.name))}
        return {"volume", "segmentation"} <= kinds

    def read(self, folder: Path, seed: int = 0, patient_pattern: str | None = None) -> Datalist:
        """Return records ``{"image", "label", "id", "patient"}`` by number, and the files that were left out.

        The split is published and patients are not known, so neither argument has a say.
        """
        volumes, segmentations, skipped = _find(folder)
        pairs: dict[int, Pair] = {}
        for number in sorted({*volumes, *segmentations}):
            if reason := _without_partner(number, volumes, segmentations):
                skipped.append(reason)
            elif number not in SPLIT_OF:
                outside = "is in no split, which holds the scans 0 to 129"
                skipped.append({"path": str(volumes[number]), "reason": outside})
            else:
                pairs[number] = Pair(volumes[number], segmentations[number])
        usable, others = usable_pairs(folder, list(pairs.values()), self.progress)
        datalist = Datalist(skipped=sorted([*skipped, *others], key=lambda item: item["path"]))
        for number, pair in pairs.items():
            if pair in usable:
                record = {"image": str(pair.image), "label": str(pair.label), "id": f"volume-{number}"}
                getattr(datalist, SPLIT_OF[number]).append({**record, "patient": str(number)})
        numbers = ", ".join(f"{len(getattr(datalist, split))} {split}" for split in SPLITS)
        logger.info(f"{folder}: LiTS-2017 with {len(datalist.records)} labelled scans ({numbers}).")
        log_skipped(folder, datalist.skipped)
        return datalist


Files = dict[int, PurePosixPath]


def _find(dataset_dir: Path) -> tuple[Files, Files, list[dict[str, str]]]:
    """Return the volumes and the segmentations by number, and the files of LiTS that are neither or come twice."""
    files: dict[str, Files] = {"volume": {}, "segmentation": {}}
    skipped = []
    for path in sorted(walk_files(dataset_dir)):
        if not (found := NAME.fullmatch(path.name)):
            continue
        relative = PurePosixPath(path.relative_to(dataset_dir).as_posix())
        kind, number = found[1].lower(), int(found[2])
        if kind == "test-volume":
            skipped.append({"path": str(relative), "reason": "is a test volume of the challenge, without a label"})
        elif number in files[kind]:
            skipped.append(
                {"path": str(relative), "reason": f"is {kind} {number} again; {files[kind][number]} is used"}
            )
        else:
            files[kind][number] = relative
    return files["volume"], files["segmentation"], skipped


def _without_partner(number: int, volumes: Files, segmentations: Files) -> dict[str, str] | None:
    if number not in segmentations:
        return {"path": str(volumes[number]), "reason": f"has no label: segmentation-{number}.nii is missing"}
    if number not in volumes:
        return {"path": str(segmentations[number]), "reason": f"has no image: volume-{number}.nii is missing"}
    return None

"""From weights and labelled boxes to what the frozen features are worth, beside answers that need no pre-training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..data.boxes.box import Box
from ..data.boxes.label_map_boxes import boxes_from_labels
from ..data.boxes.labelled_boxes import TEST, TRAINING, LabelledBoxes, read_labelled_boxes
from ..data.datasets.image_set import ImageSet
from ..data.datasets.labelled_folder import LabelledFolder
from ..data.datasets.lits import LiTS
from ..data.datasets.opening import open_datalist
from ..data.records import Datalist
from ..probing.frozen_probe import FrozenProbe
from ..probing.probe import score_lines, write_scores
from ..utils.files import absolute, sha256_of, write_json
from ..weights.description import crop_spacing
from .encoder_workflow import encoder_workflow

CLASSIFIERS = {
    "knn": "5 nearest neighbours, Euclidean distance of features standardised over the training boxes",
    "linear": "logistic regression on the same features, classes weighted alike",
}
LISTED_CLASSES = 8
SETTINGS = ("intensity_range", "crop_size", "overview_size", "spacing", "seed")


@dataclass(frozen=True)
class ProbeSource:
    """Where labelled boxes come from: a file of them and the folder of their images, or a labelled folder.

    Attributes:
        data: folder with the images, with ``boxes``.
        boxes: file with labelled boxes.
        labels: folder of images and label maps, instead of both; boxes are drawn in it.
        per_image: boxes of each kind that are drawn per image.
    """

    data: str | None = None
    boxes: str | None = None
    labels: str | None = None
    per_image: int = 4


def probe_weights(weights: str, source: ProbeSource, output: str, overrides: Mapping[str, Any]) -> list[str]:
    """Measure features of weights on labelled boxes, and write ``probe.json`` and ``probe.csv``.

    Args:
        weights: plain state dict.
        source: of the boxes.
        output: folder for everything that is written.
        overrides: ids of ``embed.json`` with their values.

    Returns:
        lines of a table.
    """
    folder = absolute(output)
    if source.labels is not None:
        listed = overrides.get("datalist", folder / "datalist.json")
        sets: list[ImageSet] = [LiTS(), LabelledFolder()]
        open_datalist(listed, source.labels, sets, overrides.get("split_seed", 0), overrides.get("patient_pattern"))
    workflow = encoder_workflow(weights, str(source.data or source.labels), output, overrides)
    get = workflow.parser.get_parsed_content
    if source.labels is not None:
        found = _draw(get, weights, source.labels, source.per_image)
    else:
        found = read_labelled_boxes(str(source.boxes), get("cache"), get("images"))
    facts = {"weights": weights, "sha256": sha256_of(weights), "boxes": source.boxes or source.labels}
    lines = _measure(get, found, folder, facts)
    workflow.finalize()
    return lines


def _draw(get: Callable[[str], Any], weights: str, labels: str, per_image: int) -> LabelledBoxes:
    """Draw boxes of the size in mm of the crops that the weights were trained on, and write them."""
    spacing = crop_spacing(weights) or None
    found = boxes_from_labels(get("images"), labels, get("cache"), get("crop_size"), per_image, spacing, get("seed"))
    found.save(Path(get("output_dir")) / "boxes.csv")
    return found


def _measure(get: Callable[[str], Any], found: LabelledBoxes, folder: Path, facts: dict[str, Any]) -> list[str]:
    """Measure network and baselines, write probe.json and probe.csv, and return what is to be read."""
    settings = {name: get(name) for name in SETTINGS}
    size = get("overview_size") if found.of_whole_images else found.crop_size or get("crop_size")
    measure = FrozenProbe(get("cache"), found, size, get("intensity_range"), get("seed"), progress=True)
    network = get("network")
    scores = {"network": measure.network_scores(network), **measure.baselines(network)}
    splits = {split: _numbers(getattr(found, split), found, get("images")) for split in (TRAINING, TEST)}
    rows = {name: asdict(row) for name, row in scores.items()}
    tables = {"splits": splits, "classifiers": CLASSIFIERS, "scores": rows}
    write_json(folder / "probe.json", {**facts, **settings, "size": list(size), **tables})
    table = write_scores(folder / "probe.csv", scores)
    lines = [f"{split}: {_sentence(numbers)}" for split, numbers in splits.items()]
    return ["", *lines, "", *score_lines(scores), "", f"table    {table}"]


def _numbers(items: Sequence[Box], found: LabelledBoxes, datalist: Datalist) -> dict[str, Any]:
    """Return the numbers of boxes or images, of patients, and of the members of each class."""
    patient_of = {record["id"]: record["patient"] for record in datalist.records}
    classes = Counter(found.classes[item["label"]] for item in items)
    return {
        "images" if found.of_whole_images else "boxes": len(items),
        "patients": len({patient_of.get(item["id"], item["id"]) for item in items}),
        "classes": {name: classes[name] for name in found.classes},
    }


def _sentence(numbers: Mapping[str, Any]) -> str:
    (what, count), (_, patients), (_, classes) = numbers.items()
    if len(classes) > LISTED_CLASSES:
        shares = f"{len(classes)} classes of {min(classes.values())} to {max(classes.values())}"
    else:
        shares = ", ".join(f"{name} {number}" for name, number in classes.items())
    return f"{count} {what} of {patients} patients; {shares}"

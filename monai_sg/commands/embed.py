"""Describe the scans of a folder, or boxes in them, by the features of pre-trained weights."""

from __future__ import annotations

from typing import Any

from ..utils.bundle_folders import PRETRAINING
from ..utils.files import absolute

BUNDLE = PRETRAINING  # whose ids may be set


def embed(*, weights: str, data: str, output: str, boxes: str | None = None, **overrides: Any) -> str:
    """Write the features of every scan of a folder, and a picture of scans beside their nearest neighbours.

    Features are the global averages of the feature maps of all levels of the encoder. Settings are those of the
    description beside the weights (models/model.json), where there is one.

    Args:
        weights: plain state dict, such as models/model.pt of a run.
        data: folder with the images, searched with all its sub-folders.
        output: folder for features.npz, neighbours.png, the data list and the cache.
        boxes: file with labelled boxes, patterns.json or CSV; they are described instead of whole scans.
        overrides: ids of embed.json with their values, such as --intensity_range "[-160,240]" or --batch_size 1.

    Returns:
        what was written.
    """
    from ..reports.neighbours import draw_neighbours
    from ..runs.encoder_workflow import encoder_workflow

    own = {} if boxes is None else {"boxes": str(absolute(boxes))}
    workflow = encoder_workflow(weights, data, output, {**own, **overrides})
    *_, features = workflow.run()
    get = workflow.parser.get_parsed_content
    count, width = features.features.shape
    what = "scans" if features.boxes is None else "boxes"
    levels = " + ".join(map(str, features.channels))
    lines = ["", f"features {get('embedding').path}: {count} {what}, {width} = {levels} values each"]
    picture = draw_neighbours(absolute(output) / "neighbours.png", features, get("cache"), get("intensity_range"))
    workflow.finalize()
    lines.append("no picture: there are no two scans" if picture is None else f"picture  {picture}")
    return "\n".join(lines)

"""Describe the scans of a folder, or boxes in them, by the features of pre-trained weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.cache import VolumeCache
from ..data.intensity import IntensityRange, scaled
from ..discovery.neighbours import nearest
from ..engines.embedding_stage import Features
from ..reports.neighbours import Example, neighbour_montage
from .encoder import encoder_workflow

QUERIES = 8
NEIGHBOURS = 5


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
    own = {} if boxes is None else {"boxes": str(Path(boxes).resolve())}
    workflow = encoder_workflow(weights, data, output, {**own, **overrides})
    (features,) = workflow.run()
    get = workflow.parser.get_parsed_content
    count, width = features.features.shape
    what = "scans" if features.boxes is None else "boxes"
    levels = " + ".join(map(str, features.channels))
    lines = ["", f"features {get('embedding').path}: {count} {what}, {width} = {levels} values each"]
    picture = draw_neighbours(Path(output) / "neighbours.png", features, get("cache"), get("intensity_range"))
    workflow.finalize()
    lines.append("no picture: there are no two scans" if picture is None else f"picture  {picture}")
    return "\n".join(lines)


def draw_neighbours(path: Path, found: Features, cache: VolumeCache, intensity_range: IntensityRange) -> Path | None:
    """Draw up to 8 rows: an image or box and the 5 nearest of other images, by standardised features.

    Args:
        path: the PNG file.
        found: features.
        cache: the images.
        intensity_range: physical values shown as black and as white, or a window per image.

    Returns:
        ``path``, or ``None`` if there is a single image.
    """
    ids = np.asarray(found.ids)
    if len(set(found.ids)) < 2:
        return None
    spread = found.features.std(axis=0)
    rows = torch.from_numpy((found.features - found.features.mean(axis=0)) / np.where(spread > 0, spread, 1))
    chosen = torch.linspace(0, len(ids) - 1, min(QUERIES, len(ids))).long().tolist()
    near, distances = [], []
    for row in chosen:
        others = np.flatnonzero(ids != ids[row])
        distance, index = nearest(rows[row : row + 1], rows[others], min(NEIGHBOURS, len(others)))
        near.append([_example(found, int(other), cache, intensity_range) for other in others[index[0].numpy()]])
        distances.append(distance[0].tolist())
    title = "Nearest in feature space (Euclidean distance d of standardised features)"
    queries = [_example(found, row, cache, intensity_range) for row in chosen]
    return neighbour_montage(path, queries, near, distances, title, window=(0.0, 1.0))


def _example(found: Features, row: int, cache: VolumeCache, intensity_range: IntensityRange) -> Example:
    """Return an image or box as it went into the network."""
    name, entry = found.ids[row], cache.entry(found.ids[row])
    if found.boxes is None:
        image, edges = cache.overview(name, found.size), np.asarray(entry.shape)
    else:
        box = found.boxes[row]
        image, edges = cache.read_box(name, box.tolist(), found.size), box[:, 1] - box[:, 0]
    spacing = edges * np.asarray(entry.spacing) / np.asarray(found.size)
    label = "" if found.labels is None else found.classes[found.labels[row]]
    image = scaled(torch.from_numpy(image), cache.window(name, intensity_range)).numpy()
    return Example(name, image, tuple(spacing.tolist()), label)

"""Self-discovery of anatomical patterns: boxes at the same anatomical place in patients that look alike."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..data.cache.volume_cache import VolumeCache
from ..data.records import SPLITS, Datalist, PatternTable
from ..utils.seeds import generator_for
from .coordinates import choose_anchors
from .embed import Embedding
from .frames import Frames, choose_frame, make_frames
from .instances import class_rows, pattern_rows
from .neighbours import nearest
from .references import (
    central_references,
    check_cohort,
    draw_references,
    neighbour_count,
    random_references,
    reference_count,
)
from .settings import DiscoverySettings

logger = logging.getLogger(__name__)


def discover(
    cache: VolumeCache, datalist: Datalist, embedding: Embedding, output: str | Path | None = None, **settings: Any
) -> PatternTable:
    """Find anatomical patterns and give each a pseudo label (Semantic Genesis, MICCAI 2020, section 2.1).

    Reference patients are chosen, coordinates are drawn in them, and the boxes at a coordinate in the K patients whose
    features are nearest to the reference's are the instances of one class. Only the references' volumes are read.

    Args:
        cache: the cached images.
        datalist: says which image is for training, validation and test.
        embedding: one feature vector per image; images are found by id.
        output: file to write the table to.
        settings: the attributes of `DiscoverySettings`, of which ``crop_size`` is needed.

    Raises:
        ValueError: for no usable training image, or when fewer than two coordinates fit.
    """
    chosen = DiscoverySettings(**settings)
    frames = _frames_of_splits(cache, datalist, embedding, chosen)
    features = {split: embedding.select(own.ids) for split, own in frames.items()}
    neighbours = neighbour_count(len(frames["training"].ids), chosen.num_neighbours, chosen.neighbour_share)
    references, anchors = _coordinates(cache, frames["training"], features["training"], neighbours, chosen)
    counts = dict.fromkeys(SPLITS, chosen.num_neighbours_validation) | {"training": neighbours}
    near = {s: _nearest_rows(features["training"][references], features[s], counts[s]) for s in SPLITS}
    generator = generator_for(chosen.seed, "resolutions")
    table = PatternTable(
        seed=chosen.seed,
        preset=chosen.preset,
        grid=_grid(frames["training"]),
        features_sha256=embedding.sha256,
        classes=class_rows(frames["training"], references, anchors, *near["training"]),
        training=pattern_rows(frames["training"], anchors, near["training"][1], chosen.scales, generator),
        validation=pattern_rows(frames["validation"], anchors, near["validation"][1], 1, generator),
        test=pattern_rows(frames["test"], anchors, near["test"][1], 1, generator),
    )
    _report(table, len(frames["training"].ids))
    if output is not None:
        table.save(output)
    return table


def _frames_of_splits(
    cache: VolumeCache, datalist: Datalist, embedding: Embedding, settings: DiscoverySettings
) -> dict[str, Frames]:
    """Return the frames of the usable images of each split, on the grid of the training images."""
    usable = set(cache.ids) & set(embedding.ids)
    ids = {}
    for split in SPLITS:
        listed = [record["id"] for record in getattr(datalist, split)]
        ids[split] = [name for name in listed if name in usable]
        lost = [name for name in listed if name not in usable]
        if lost:
            logger.warning("%d %s images are left out, not cached or not embedded: %s", len(lost), split, lost[:10])
    check_cohort(len(ids["training"]))
    name = choose_frame(cache, ids["training"], settings.frame)
    training = make_frames(cache, ids["training"], name, settings.crop_size)
    others = {split: make_frames(cache, ids[split], name, settings.crop_size, training.grid) for split in SPLITS[1:]}
    return {"training": training, **others}


def _coordinates(
    cache: VolumeCache, frames: Frames, features: Tensor, neighbours: int, settings: DiscoverySettings
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the row of the reference (C) and the anchor (C, d) of each class."""
    central, images = settings.reference_draw == "central", len(frames.ids)
    per_reference = settings.coordinates_per_reference or (settings.num_classes if central else None)
    count = reference_count(images, neighbours, settings.num_classes, per_reference)
    drawing = generator_for(settings.seed, "references")
    holds_crop = np.all(frames.sizes <= frames.shapes, axis=1)
    if central:
        references = central_references(features, holds_crop)
    elif settings.reference_draw == "random":
        references = random_references(images, drawing)
    else:
        references = draw_references(features, count, neighbours, drawing, holds_crop)
    return choose_anchors(
        cache,
        frames,
        references[:count],
        settings.num_classes,
        generator_for(settings.seed, "coordinates"),
        settings.rules,
        per_reference,
        spare=references[count:],
    )


def _nearest_rows(queries: Tensor, database: Tensor, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return distances and rows (C, up to ``count``) of the nearest images; equal queries are searched once."""
    count = min(count, len(database))
    if count == 0:
        return np.zeros((len(queries), 0)), np.zeros((len(queries), 0), dtype=np.int64)
    unique, inverse = queries.unique(dim=0, return_inverse=True)
    distances, rows = nearest(unique, database, count)
    return distances[inverse].double().numpy(), rows[inverse].numpy()


def _grid(frames: Frames) -> dict[str, Any]:
    """Return what the crops have in common."""
    return {"spacing": frames.grid.tolist(), "frame": frames.name, "crop_size": [*map(int, frames.crop_size)]}


def _report(table: PatternTable, images: int) -> None:
    """Log what was found and how much of the cohort it covers."""
    covered = len({row["id"] for row in table.training})
    padded = sum(row.get("padded", False) for row in table.training)
    logger.info(
        "%d classes from %d references: %d training, %d validation and %d test boxes; %d of %d training images "
        "(%.0f %%) appear in a class; %d training boxes leave a small volume and are padded.",
        *(table.num_classes, len({row["reference"] for row in table.classes})),
        *(len(table.training), len(table.validation), len(table.test)),
        *(covered, images, 100 * covered / images, padded),
    )

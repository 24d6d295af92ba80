"""The rows of a pattern table: one box per class, image and resolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .frames import Frames

_UNIT = 64
_EDGE_RANGE = (50, 80)
_SHIFT_RANGE = (-10, 10)
_IN_PLANE = 2


def class_rows(
    frames: Frames,
    references: NDArray[np.int64],
    anchors: NDArray[np.float64],
    distances: NDArray[np.float64],
    neighbours: NDArray[np.int64],
) -> list[dict[str, Any]]:
    """Return one dictionary per class: its label, reference, anchor and neighbours with their feature distances.

    Args:
        frames: the training images.
        references: row of the reference (C).
        anchors: (C, d).
        distances: (C, K), written with six significant digits.
        neighbours: rows (C, K), nearest first.
    """
    return [
        {
            "label": label,
            "reference": frames.ids[references[label]],
            "anchor": anchors[label].tolist(),
            "neighbours": [
                [frames.ids[row], float(f"{distance:.6g}")]
                for row, distance in zip(neighbours[label], distances[label], strict=True)
            ],
        }
        for label in range(len(anchors))
    ]


def pattern_rows(
    frames: Frames, anchors: NDArray[np.float64], neighbours: NDArray[np.int64], scales: int, generator: torch.Generator
) -> list[dict[str, Any]]:
    """Return the boxes of every class in its neighbours, in the order of label, neighbour and resolution.

    Resolution 1 is the exact box. The others change it in plane (axes x and y), where the released code does: the edge
    is multiplied by s/64 with s uniform in 50..79, the centre moved by j/64 edges per axis with j uniform in -10..9. In
    the frame ``voxel``, whose anchor is the corner, it is the corner that is moved.

    Args:
        frames: the images of one split.
        anchors: (C, d).
        neighbours: rows of ``frames`` (C, K).
        scales: resolutions per box.
        generator: draws the resolutions.
    """
    classes, count = neighbours.shape
    factors = np.ones((scales, classes, count, anchors.shape[1]))
    shifts = np.zeros_like(factors)
    drawn = (scales - 1, classes, count)
    factors[1:, ..., :_IN_PLANE] = torch.randint(*_EDGE_RANGE, (*drawn, 1), generator=generator).numpy() / _UNIT
    shifts[1:, ..., :_IN_PLANE] = torch.randint(*_SHIFT_RANGE, (*drawn, _IN_PLANE), generator=generator).numpy() / _UNIT
    if frames.name == "voxel":
        shifts += (factors - 1) / 2
    rows: list[dict[str, Any]] = []
    for label in range(classes):
        own = neighbours[label]
        resolutions = zip(factors[:, label], shifts[:, label], strict=True)
        placed = [frames.boxes(anchors[label][None], own, factor, shift) for factor, shift in resolutions]
        boxes = np.stack([box[0] for box, _ in placed], axis=1).tolist()
        padded = np.stack([mark[0] for _, mark in placed], axis=1).tolist()
        rows += [
            {"id": frames.ids[row], "label": label, "scale": scale + 1, "box": boxes[place][scale]}
            | ({"padded": True} if padded[place][scale] else {})
            for place, row in enumerate(own)
            for scale in range(scales)
        ]
    return rows

"""How well frames and similar patients bring the same anatomy into boxes at the same place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.cache.label_maps import labels_on_image
from ...data.cache.volume_cache import VolumeCache
from ...data.intensity import IntensityRange, checked_range
from ...discovery.frames import Frames
from ...discovery.neighbours import nearest
from ...discovery.rules import CoordinateRules
from ...utils.seeds import generator_for
from .carried_places import Places, box_around, box_overlap, displacement, draw_places, read_crops
from .pattern_agreement import PairMeasure, intensity_agreement, organ_agreement, organ_content
from .settings import AgreementSettings

ALL, RANDOM, PIXELS = "all", "random", "small pixels"
SMALL = (16, 16, 8)

Row = dict[str, Any]


@dataclass
class AgreementStudy:
    """Places chosen in some images, carried to the others by each frame, and compared.

    Attributes:
        cache: the images.
        frames: per name; all of the same images and of the same crop. Places are chosen in the last.
        settings: what was set; ``frames`` and ``neighbours`` of it are not looked at.
        neighbours: images similar to a reference, itself included.
        features: name -> (N, D), by which images are similar.
        labels: label map of each image that has one.
    """

    cache: VolumeCache
    frames: Mapping[str, Frames]
    settings: AgreementSettings
    neighbours: int
    features: Mapping[str, Tensor]
    labels: Mapping[str, Path] = field(default_factory=dict)

    @property
    def last(self) -> Frames:
        """The frame that places are chosen in."""
        return list(self.frames.values())[-1]

    def draw(self, number: int) -> Places:
        """Choose places in references drawn at random, by the rules of the discovery."""
        rules = CoordinateRules(intensity_range=checked_range(self.settings.intensity_range))
        generator = generator_for(self.settings.seed, "places", number)
        return draw_places(self.cache, self.last, self.settings.places, self.settings.references, generator, rules)

    def compare(self, places: Places) -> tuple[list[Row], list[Row]]:
        """Return a row per frame, measure and kind of images, and one per frame and organ.

        The former have ``frame, measure, images, value, chance``, where ``images`` is ``all``, ``random`` or a name of
        ``features``; a measure that nothing could be compared by has no row. The latter have ``frame, organ, share``,
        the share of the voxels of all boxes.
        """
        boxes = {name: places.boxes(own) for name, own in self.frames.items()}
        size = [max(1, edge // 2) for edge in self.last.crop_size]
        window = self.settings.intensity_range
        crops, labels = read_crops(self.cache, self.last.ids, boxes, size, window, self.labels)
        known = torch.tensor([name in self.labels for name in self.last.ids])
        organs = self.settings.organs or sorted({int(value) for own in labels.values() for value in own.unique()} - {0})
        rows: list[Row] = []
        contents: list[Row] = []
        for frame in self.frames:
            measures = intensity_agreement(crops[frame])
            if self.labels:
                measures |= organ_agreement(labels[frame], organs, known)
                shares = organ_content(labels[frame], organs, known)
                contents += [{"frame": frame, "organ": organ, "share": share} for organ, share in shares.items()]
            for measure, found in measures.items():
                values = {} if isnan(found.of_all()) else dict(self._values(found, places))
                common = {"frame": frame, "measure": measure, "chance": found.chance}
                rows += [{**common, "images": images, "value": value} for images, value in values.items()]
        return rows, contents

    def _values(self, found: PairMeasure, places: Places) -> Iterator[tuple[str, float]]:
        """Yield the means over all images, over random ones, and over those similar to each reference."""
        references = torch.from_numpy(places.references)
        yield ALL, found.of_all()
        yield RANDOM, found.of_random(references, self.neighbours)
        for name, features in self.features.items():
            yield name, found.of_chosen(nearest(features[references], features, self.neighbours)[1])

    def compare_lungs(self, places: Places) -> list[Row]:
        """Return a row per image whose lungs are labelled: what a box around the labels changes.

        The rows have ``id``, ``iou`` of that box and the box found by thresholds, ``mean_mm`` and ``largest_mm`` by
        which the places move, and the mean along each axis.
        """
        rows: list[Row] = []
        for name, labelled in self._lung_boxes.items():
            entry = self.cache.entry(name)
            found = np.asarray(entry.lung_box)
            moved = displacement(places.anchors(self.frames["lung"]), found, labelled, entry.spacing)
            lengths = np.linalg.norm(moved, axis=1)
            distances = {"mean_mm": float(lengths.mean()), "largest_mm": float(lengths.max())}
            distances |= {f"{axis}_mm": float(mean) for axis, mean in zip("xyz", np.abs(moved).mean(0), strict=True)}
            rows.append({"id": name, "iou": box_overlap(found, labelled), **distances})
        return rows

    @cached_property
    def _lung_boxes(self) -> dict[str, NDArray[np.int64]]:
        """Boxes around the lungs of the label maps, by id; none without the frame ``lung``."""
        boxes = {}
        for name in self.last.ids if self.settings.lungs and "lung" in self.frames else []:
            if name in self.labels:
                mask = np.isin(labels_on_image(self.labels[name], self.cache.entry(name)), self.settings.lungs)
                if mask.any():
                    boxes[name] = box_around(mask)
        return boxes


def small_pixels(cache: VolumeCache, ids: Sequence[str], intensity_range: IntensityRange) -> Tensor:
    """Return whole images at 16 x 16 x 8 voxels, or 16 x 16 pixels, as features (N, D) that need no network."""
    rows = []
    for name in ids:
        overview = torch.from_numpy(cache.overview(name, SMALL[: len(cache.entry(name).shape)]))
        rows.append(cache.scaled(name, overview, intensity_range).flatten())
    return torch.stack(rows)

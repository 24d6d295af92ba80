from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist, PatternTable
from monai_sg.discovery.diagnostics import shared_bits
from monai_sg.discovery.discover import discover
from monai_sg.discovery.embed import Embedding
from monai_sg.discovery.frames import make_frames
from monai_sg.discovery.rules import CoordinateRules

MakeCache = Callable[..., VolumeCache]
Features = Callable[..., Embedding]
Split = Callable[..., Datalist]


@pytest.mark.parametrize(("draw", "references"), [("central", 1), ("apart", 3)])
@pytest.mark.parametrize("shape", [(48, 48), (48, 48, 24)])
def test_every_class_has_all_its_instances(
    make_cache: MakeCache,
    random_features: Features,
    split_ids: Split,
    shape: tuple[int, ...],
    draw: str,
    references: int,
) -> None:
    cache = make_cache([shape] * 20)
    datalist, embedding = split_ids(cache.ids, validation=4, test=3), random_features(cache.ids)
    crop = (12, 12, 8)[: len(shape)]
    table = discover(cache, datalist, embedding, crop_size=crop, num_classes=7, reference_draw=draw)
    assert table.num_classes == 7
    assert len({row["reference"] for row in table.classes}) == references
    assert Counter(row["label"] for row in table.training) == dict.fromkeys(range(7), 5 * 3)
    assert Counter(row["label"] for row in table.validation) == dict.fromkeys(range(7), 4)
    assert Counter(row["label"] for row in table.test) == dict.fromkeys(range(7), 3)
    for split in ("training", "validation", "test"):
        listed = {record["id"] for record in getattr(datalist, split)}
        assert {row["id"] for row in getattr(table, split)} <= listed
    for row in table.classes:
        assert row["neighbours"][0] == [row["reference"], 0.0]
        assert len({name for name, _ in row["neighbours"]}) == 5


def test_neighbours_of_all_splits_are_nearest_to_the_training_reference(
    make_cache: MakeCache, random_features: Features, split_ids: Split
) -> None:
    cache = make_cache([(48, 48, 24)] * 16)
    embedding = random_features(cache.ids)
    datalist = split_ids(cache.ids, validation=6)
    table = discover(cache, datalist, embedding, crop_size=(12, 12, 8), num_classes=4, num_neighbours_validation=2)
    for row in table.classes:
        reference = embedding.select([row["reference"]])
        for split, rows in (("training", table.training), ("validation", table.validation)):
            ids = [record["id"] for record in getattr(datalist, split)]
            distance = (embedding.select(ids) - reference).norm(dim=1)
            own = [entry["id"] for entry in rows if entry["label"] == row["label"] and entry["scale"] == 1]
            assert own == [ids[index] for index in distance.argsort()[: len(own)]]


def test_all_classes_come_from_the_same_patients(
    make_cache: MakeCache, random_features: Features, split_ids: Split
) -> None:
    cache = make_cache([(48, 48, 24)] * 16)
    datalist, embedding = split_ids(cache.ids, validation=3), random_features(cache.ids)
    tables = {
        draw: discover(cache, datalist, embedding, crop_size=(12, 12, 8), num_classes=6, reference_draw=draw)
        for draw in ("central", "apart")
    }
    shared = {draw: shared_bits(table, {})[0] for draw, table in tables.items()}
    assert shared["central"] == 0
    assert shared["apart"] > 0.5
    for split in ("training", "validation"):
        patients = [
            {row["id"] for row in getattr(tables["central"], split) if row["label"] == label} for label in range(6)
        ]
        assert all(own == patients[0] for own in patients)


def test_the_same_seed_gives_the_same_bytes(
    make_cache: MakeCache, random_features: Features, split_ids: Split, tmp_path: Path
) -> None:
    cache = make_cache([(48, 48, 24)] * 9)
    arguments: dict[str, Any] = {"crop_size": (12, 12, 8), "num_classes": 5, "scales": 2}
    embedding, datalist = random_features(cache.ids), split_ids(cache.ids)
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        discover(cache, datalist, embedding, tmp_path / f"{name}.json", seed=seed, **arguments)
    written = {name: (tmp_path / f"{name}.json").read_bytes() for name in "abc"}
    assert written["a"] == written["b"] != written["c"]
    table = PatternTable.load(tmp_path / "a.json")
    assert table.grid == {"spacing": [1.0, 1.0, 1.0], "frame": "lung", "crop_size": [12, 12, 8]}
    assert table.features_sha256 == embedding.sha256


def test_the_boxes_follow_from_the_anchors_of_the_table(
    make_cache: MakeCache, random_features: Features, split_ids: Split
) -> None:
    cache = make_cache([(48 + n, 48, 24) for n in range(8)], [(1 + n / 20, 1, 1.5) for n in range(8)])
    table = discover(cache, split_ids(cache.ids), random_features(cache.ids), crop_size=(12, 12, 8), num_classes=5)
    frames = make_frames(cache, cache.ids, table.grid["frame"], table.grid["crop_size"], table.grid["spacing"])
    for row in (row for row in table.training if row["scale"] == 1):
        boxes, _ = frames.boxes([table.classes[row["label"]]["anchor"]], frames.rows([row["id"]]))
        assert boxes[0, 0].tolist() == row["box"]


def test_features_are_found_by_id_whatever_else_there_is(
    make_cache: MakeCache, random_features: Features, split_ids: Split, caplog: pytest.LogCaptureFixture
) -> None:
    cache = make_cache([(48, 48, 24)] * 8)
    datalist, plain = split_ids(cache.ids), random_features(cache.ids)
    crop = (12, 12, 8)
    expected = discover(cache, datalist, plain, crop_size=crop, num_classes=4)
    shuffled = random_features(["stranger999", *reversed(cache.ids)])
    found = discover(cache, datalist, shuffled, crop_size=crop, num_classes=4)
    assert found.training == expected.training
    datalist.training.insert(0, {"image": "lost.nii.gz", "id": "lost", "patient": "lost"})
    with caplog.at_level(logging.WARNING):
        assert discover(cache, datalist, plain, crop_size=crop, num_classes=4).training == expected.training
    assert "1 training images are left out, not cached or not embedded: ['lost']" in caplog.text


def test_short_volumes_are_used_and_marked(make_cache: MakeCache, random_features: Features, split_ids: Split) -> None:
    cache = make_cache([(48, 48, 24)] * 3 + [(10, 48, 5), (48, 48, 1), (9, 9, 9)])
    table = discover(
        cache, split_ids(cache.ids), random_features(cache.ids), crop_size=(12, 12, 8), num_classes=4, frame="fov"
    )
    assert {row["reference"] for row in table.classes} <= {"scan000", "scan001", "scan002"}
    for row in table.training:
        assert cache.read_box(row["id"], row["box"], (12, 12, 8)).shape == (12, 12, 8)
        if not row.get("padded"):
            ends = zip(row["box"], cache.entry(row["id"]).shape, strict=True)
            assert all(0 <= start < stop <= length for (start, stop), length in ends)


def test_a_cohort_of_short_volumes_only(make_cache: MakeCache, random_features: Features, split_ids: Split) -> None:
    cache = make_cache([(48, 48, 6)] * 4)
    table = discover(cache, split_ids(cache.ids), random_features(cache.ids), crop_size=(12, 12, 8), num_classes=3)
    assert all(row["padded"] for row in table.training)


def test_only_references_are_read(
    make_cache: MakeCache, random_features: Features, split_ids: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_cache([(48, 48, 24)] * 12)
    read: list[str] = []
    original = VolumeCache.array
    monkeypatch.setattr(VolumeCache, "array", lambda self, name: read.append(name) or original(self, name))
    table = discover(cache, split_ids(cache.ids), random_features(cache.ids), crop_size=(12, 12, 8), num_classes=9)
    assert sorted(read) == sorted({row["reference"] for row in table.classes})


def test_the_share_of_the_cohort_is_logged(
    make_cache: MakeCache, random_features: Features, split_ids: Split, caplog: pytest.LogCaptureFixture
) -> None:
    cache = make_cache([(48, 48, 24)] * 10)
    with caplog.at_level(logging.INFO):
        table = discover(cache, split_ids(cache.ids), random_features(cache.ids), crop_size=(12, 12, 8), num_classes=4)
    covered = len({row["id"] for row in table.training})
    assert f"{covered} of 10 training images ({10 * covered} %) appear in a class" in caplog.text


def test_no_held_out_images_give_no_held_out_boxes(
    make_cache: MakeCache, random_features: Features, split_ids: Split
) -> None:
    cache = make_cache([(48, 48, 24)] * 4)
    table = discover(cache, split_ids(cache.ids), random_features(cache.ids), crop_size=(12, 12, 8), num_classes=2)
    assert table.validation == table.test == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"preset": "papier"}, "'papier' is unknown"),
        ({"num_classes": 1}, "num_classes = 1 must be at least 2"),
        ({"scales": 0}, "scales = 0 must be at least 1"),
        ({"crop_size": (0, 8, 8)}, "three positive numbers"),
        ({"neighbour_share": 0}, "neighbour_share = 0 must be above 0"),
        ({"reference_draw": "best"}, "'best' is unknown"),
        ({"rules": CoordinateRules(min_distance=5)}, "count voxels.*set frame to 'voxel'"),
        ({"frame": "voxel", "rules": CoordinateRules(border=(1, 1))}, r"border = \[1, 1\] needs 3 numbers"),
        ({"frame": "heart"}, "'heart' is unknown"),
    ],
)
def test_refuses_settings_that_make_no_sense(
    make_cache: MakeCache, random_features: Features, split_ids: Split, wrong: dict[str, Any], message: str
) -> None:
    cache = make_cache([(16, 16, 8)] * 3)
    with pytest.raises(ValueError, match=message):
        discover(cache, split_ids(cache.ids), random_features(cache.ids), **{"crop_size": (8, 8, 4), **wrong})


@pytest.mark.parametrize("images", [1, 2])
def test_a_tiny_cohort_gives_places_in_all_its_images(
    make_cache: MakeCache, random_features: Features, split_ids: Split, images: int
) -> None:
    cache = make_cache([(48, 48, 24)] * images)
    table = discover(
        cache, split_ids(cache.ids), random_features(cache.ids), crop_size=(8, 8, 4), num_classes=5, frame="body"
    )
    assert table.num_classes == 5
    assert len(table.training) == 5 * images * 3


def test_no_image_is_refused(make_cache: MakeCache, random_features: Features, split_ids: Split) -> None:
    cache = make_cache([(16, 16, 8)])
    with pytest.raises(ValueError, match="No training image"):
        discover(cache, split_ids([]), random_features(cache.ids), crop_size=(8, 8, 4))


def test_crops_of_a_class_look_alike(make_cache: MakeCache, random_features: Features, split_ids: Split) -> None:
    cache = make_cache([(40 + 4 * n, 48, 24) for n in range(6)])
    table = discover(
        cache, split_ids(cache.ids), random_features(cache.ids), crop_size=(16, 16, 8), num_classes=4, frame="body"
    )
    for label in range(4):
        boxes = [(row["id"], row["box"]) for row in table.training if row["label"] == label and row["scale"] == 1]
        crops = np.stack([cache.read_box(name, box, (16, 16, 8)) for name, box in boxes])
        assert np.corrcoef(crops.reshape(len(crops), -1)).min() > 0.4


def test_as_released_each_class_has_its_own_reference_drawn_at_random(
    make_cache: MakeCache, random_features: Features, split_ids: Split
) -> None:
    cache = make_cache([(48, 48, 32), *[(52, 48, 32)] * 5], [(1.0, 1.0, 1.0), *[(1.1, 1.0, 2.0)] * 5])
    rules = CoordinateRules(max_iou=1, min_body_share=0, min_deviation=0, candidates=200, border=(4, 4, 2))
    table = discover(
        cache,
        split_ids(cache.ids),
        random_features(cache.ids),
        crop_size=(8, 8, 8),
        frame="voxel",
        num_classes=4,
        num_neighbours=200,
        neighbour_share=1.0,
        coordinates_per_reference=1,
        reference_draw="random",
        scales=1,
        rules=rules,
    )
    assert len({row["reference"] for row in table.classes}) == table.num_classes == 4
    for row in table.training:  # the same voxels in every image, whatever its spacing
        corner = table.classes[row["label"]]["anchor"]
        assert row["box"] == [[start, start + 8] for start in corner]
    assert all(len(row["neighbours"]) == 6 for row in table.classes)


@pytest.mark.parametrize("wrong", [{"max_iou": 1.5}, {"candidates": 0}, {"border": (-1, 0, 0)}])
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CoordinateRules(**wrong)

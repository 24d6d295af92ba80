from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from monai_sg.discovery.references import (
    central_references,
    check_cohort,
    draw_references,
    neighbour_count,
    random_references,
    reference_count,
)
from monai_sg.utils.seeds import generator_for


@pytest.mark.parametrize(
    ("images", "asked", "expected"),
    [
        (445, 200, 200),
        (444, 200, 199),
        (30, 200, 13),
        (7, 200, 3),
        (3, 200, 3),
        (5, 2, 2),
        (2, 200, 2),
        (1, 200, 1),
        (100000, 1000, 1000),
    ],
)
def test_neighbours_are_at_most_45_percent_and_at_least_three(images: int, asked: int, expected: int) -> None:
    assert neighbour_count(images, asked) == expected


def test_the_share_of_the_cohort_can_be_all_of_it() -> None:
    assert neighbour_count(445, 200, 1.0) == 200
    assert neighbour_count(150, 200, 1.0) == 150


def test_random_references_are_uniform_and_without_replacement() -> None:
    firsts = [random_references(4, generator_for(seed)) for seed in range(400)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in firsts)
    counts = np.bincount([order[0] for order in firsts])
    assert counts.min() > 70  # 100 expected, standard deviation 9
    assert counts.max() < 130


def test_more_neighbours_than_images_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        neighbour_count(100, 200)
        neighbour_count(300, 200)
        neighbour_count(445, 200)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "INFO"]
    assert caplog.messages[0] == "200 neighbours asked, but there are 100 training images: 45 are used (45 %)."
    assert caplog.messages[2] == "Each class has 200 neighbours, 45 % of 445 training images."


def test_two_images_are_used_with_a_warning_and_none_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    check_cohort(2)
    assert "Only 2 training images" in caplog.messages[0]
    with pytest.raises(ValueError, match="No training image"):
        check_cohort(0)


@pytest.mark.parametrize(
    ("images", "neighbours", "classes", "per_reference", "expected"),
    [
        (445, 200, 44, None, 3),
        (100000, 200, 44, None, 44),
        (445, 200, 44, 44, 1),
        (445, 200, 44, 1, 44),
        (5, 3, 44, 1, 5),
    ],
)
def test_references_can_cover_the_cohort(
    images: int, neighbours: int, classes: int, per_reference: int | None, expected: int
) -> None:
    assert reference_count(images, neighbours, classes, per_reference) == expected


def test_the_central_image_is_the_one_that_all_are_near_to() -> None:
    # On a line at 0, 1, 2, 10 the mean distances are 13/4, 11/4, 11/4 and 27/4.
    features = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    assert central_references(features, np.ones(4, dtype=bool)) == [1, 2, 0, 3]
    assert central_references(features, np.asarray([True, False, False, True])) == [0, 3, 1, 2]


def test_a_large_cohort_is_compared_with_a_part_of_it() -> None:
    features = torch.randn(5000, 3, generator=torch.Generator().manual_seed(0))
    features[1234] = 0.0
    assert 1234 in central_references(features, np.ones(5000, dtype=bool))[:20]


def test_references_come_from_different_groups() -> None:
    generator = torch.Generator().manual_seed(0)
    groups = torch.eye(3).repeat_interleave(10, dim=0) * 10 + 0.1 * torch.rand(30, 3, generator=generator)
    for seed in range(10):
        drawn = draw_references(groups, 3, 10, generator_for(seed), np.ones(30, dtype=bool))
        assert {row // 10 for row in drawn} == {0, 1, 2}


def test_references_are_not_repeated_and_depend_on_the_seed_only() -> None:
    features = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    drawn = draw_references(features, 12, 3, generator_for(1), np.ones(12, dtype=bool))
    assert sorted(drawn) == list(range(12))
    assert drawn == draw_references(features, 12, 3, generator_for(1), np.ones(12, dtype=bool))
    assert drawn != draw_references(features, 12, 3, generator_for(2), np.ones(12, dtype=bool))


def test_equal_features_and_short_volumes_do_not_stop_the_draw() -> None:
    eligible = np.asarray([False, True, False, False, True])
    drawn = draw_references(torch.ones(5, 4), 4, 2, generator_for(0), eligible)
    assert set(drawn[:2]) == {1, 4}
    assert len(set(drawn)) == 4

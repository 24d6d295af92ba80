from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from monai_sg.studies.agreement.pattern_agreement import (
    PairMeasure,
    intensity_agreement,
    organ_agreement,
    organ_content,
)

# Two classes in two images, four voxels each; 1 and 2 are organs, 3 is none.
LABELS = [[[1, 1, 2, 3], [1, 2, 2, 0]], [[0, 3, 0, 1], [0, 1, 0, 0]]]
SIZES = [(2, 2), (2, 1, 2)]


@pytest.mark.parametrize("size", SIZES)
def test_organs_agree_as_counted_by_hand(size: tuple[int, ...]) -> None:
    found = organ_agreement(torch.tensor(LABELS).reshape(2, 2, *size), [1, 2])
    overlap, shares = found["organ overlap"], found["organ shares"]
    # First class: voxels 0 and 2 of the three that hold an organ. Second class: other voxels, hence 0 of 2.
    assert overlap.pairs[:, 0, 1].tolist() == pytest.approx([2 / 3, 0])
    assert overlap.pairs[:, 1, 0].tolist() == pytest.approx([2 / 3, 0])
    assert overlap.pairs.diagonal(dim1=1, dim2=2).isnan().all()
    assert overlap.of_all() == pytest.approx(1 / 3)
    # Shares (2/3, 1/3) and (1/3, 2/3) have 2/3 in common; the second class has organ 1 alone in both images.
    assert shares.pairs[:, 0, 1].tolist() == pytest.approx([2 / 3, 1])
    # Other classes of other images: [1, 1, 2, 3] with [0, 1, 0, 0], and [1, 2, 2, 0] with [0, 3, 0, 1].
    assert overlap.chance == pytest.approx((1 / 3 + 0) / 2)
    assert shares.chance == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_crops_without_organ_and_images_without_labels_are_not_compared() -> None:
    labels = torch.tensor([[[1, 0], [1, 1], [0, 0], [0, 0]], [[2, 2], [2, 0], [1, 1], [0, 0]]])
    known = torch.tensor([True, False, True, True])
    pairs = organ_agreement(labels, [1, 2], known)["organ overlap"].pairs
    assert pairs[:, 1].isnan().all()
    assert pairs[:, :, 1].isnan().all()
    assert pairs[0, 2, 3].isnan()
    assert pairs[:, 0, 2].tolist() == [0, 0]
    assert organ_content(labels, [1, 2], known) == {1: 3 / 12, 2: 2 / 12}


@pytest.mark.parametrize("size", SIZES)
def test_correlation_is_pearsons_between_all_crops(size: tuple[int, ...]) -> None:
    crops = torch.rand(3, 4, *size, generator=torch.Generator().manual_seed(0))
    found = intensity_agreement(crops)["correlation"]
    expected = np.corrcoef(crops.reshape(12, -1).numpy().astype(float)).reshape(3, 4, 3, 4)
    assert found.pairs[1, 0, 2].item() == pytest.approx(expected[1, 0, 1, 2])
    other = [
        expected[one, i, two, j] for one in range(3) for two in range(3) for i in range(4) for j in range(4)
        if one != two and i != j
    ]  # fmt: skip
    assert found.chance == pytest.approx(np.mean(other))
    constant = intensity_agreement(crops.index_fill(1, torch.tensor([0]), 0.5))
    assert constant["correlation"].pairs[:, 0].isnan().all()
    assert constant["correlation"].pairs[:, 1, 2:].isfinite().all()
    assert constant["place found"].pairs[:, 0].isnan().all()


def test_a_place_is_found_where_the_same_class_is_most_alike() -> None:
    one, two = torch.tensor([0.0, 1.0, 0.0, 1.0]), torch.tensor([0.0, 0.0, 1.0, 1.0])
    found = intensity_agreement(torch.stack([torch.stack([one, two]), torch.stack([two, two])]))["place found"]
    # In image 1 both classes look like `two`, so queries from image 0 share the first place.
    assert found.pairs[:, 0, 1].tolist() == [0.5, 0.5]
    # From image 1, `two` is found at the second class of image 0: wrong for the first class, right for the second.
    assert found.pairs[:, 1, 0].tolist() == [0, 1]
    assert found.of_all() == 0.5
    assert found.chance == 0.5


@pytest.mark.parametrize("count", [2, 3, 5])
def test_random_images_are_the_mean_over_all_draws(count: int) -> None:
    pairs = torch.rand(2, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    measure = PairMeasure(pairs.masked_fill(torch.eye(5, dtype=torch.bool), torch.nan), 0)
    references = torch.tensor([1, 3])
    values = []
    for own in range(2):
        others = [row for row in range(5) if row != references[own]]
        single = PairMeasure(measure.pairs[own : own + 1], 0)
        draws = [torch.tensor([[references[own], *drawn]]) for drawn in combinations(others, count - 1)]
        values.append(np.mean([single.of_chosen(draw) for draw in draws]))
    assert measure.of_random(references, count) == pytest.approx(np.mean(values))


def test_chosen_images_are_compared_among_themselves() -> None:
    pairs = torch.arange(18, dtype=torch.float64).reshape(2, 3, 3)
    measure = PairMeasure(pairs.masked_fill(torch.eye(3, dtype=torch.bool), torch.nan), 0)
    # Class 0: pairs (0, 2) and (2, 0), 2 and 6; class 1: pairs (1, 2) and (2, 1), 9 + 5 and 9 + 7.
    assert measure.of_chosen(torch.tensor([[2, 0], [1, 2]])) == pytest.approx((4 + 15) / 2)

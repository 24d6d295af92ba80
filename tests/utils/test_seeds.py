from __future__ import annotations

import torch

from monai_sg.utils.seeds import generator_for, seed_for


def test_seed_is_the_same_everywhere() -> None:
    assert seed_for(0, "step", 1) == 3787839063
    assert 0 <= seed_for(0) < 2**32


def test_each_part_and_its_place_matter() -> None:
    seeds = [seed_for(0, 1), seed_for(1, 0), seed_for(0, 1, 0), seed_for("0,1"), seed_for(1), seed_for(11)]
    assert len(set(seeds)) == len(seeds)


def test_generators_of_the_same_parts_agree() -> None:
    first, second = (torch.rand(4, generator=generator_for(7, "step", 3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.rand(4, generator=generator_for(7, "step", 4)))

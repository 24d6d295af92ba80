from __future__ import annotations

import torch

from monai_sg.transforms.identity import Identity


def test_the_batch_itself_comes_back() -> None:
    x = torch.rand(2, 1, 4, 4)
    assert Identity().sample(x.shape, torch.Generator()) == {}
    assert Identity()(x, torch.Generator()) is x

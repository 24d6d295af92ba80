"""Restore corrupted crops: Models Genesis, in-painting, patch shuffling, auto-encoder."""

from __future__ import annotations

from typing import Any

import torch

from ..networks.contract import Network
from ..transforms.corruption import Corruption
from .base import Batch, Params, PretrainingMethod


def error_per_crop(restored: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    r"""Mean squared error of each crop, :math:`\frac{1}{V}\sum_v (X_v - X'_v)^2`: ``(B, C, *spatial)`` to ``(B,)``."""
    return (restored.float() - original.float()).square().flatten(1).mean(1)


class Restoration(PretrainingMethod):
    r"""Restore a crop X from its corruption: :math:`L_{rec} = \frac{1}{N}\sum_i \lVert X_i - X'_i \rVert^2`, per voxel.

    With `GenesisCorruption` this is Models Genesis (MedIA 2021, section 3), and on pattern boxes the ablation arm
    *pattern sampling without the head*; with `Identity` and a network without skips it is the auto-encoder.

    Args:
        network: gives one channel of logits; their sigmoid is the restored intensity in [0, 1].
        corruption: what is undone.
    """

    def __init__(self, network: Network, corruption: Corruption) -> None:
        super().__init__(network)
        self.corruption = corruption

    def sample(self, batch: Batch, generator: torch.Generator, shared: torch.Generator) -> Params:
        """Draw the parameters of the corruption for ``batch["image"]``."""
        return self.corruption.sample(batch["image"].shape, generator)

    def forward(self, batch: Batch, params: Params) -> dict[str, Any]:
        """Return ``loss``, ``size`` B, ``restoration`` (B,), and the pictures (B, 1, *spatial)."""
        corrupted = self.corruption.apply(batch["image"], params)
        restored = torch.sigmoid(self.network(corrupted).float())
        errors = error_per_crop(restored, batch["image"])
        return {
            "loss": errors.mean(),
            "size": len(errors),
            "restoration": errors.detach(),
            "corrupted": corrupted,
            "restored": restored.detach(),
        }

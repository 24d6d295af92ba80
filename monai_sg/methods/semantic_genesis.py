"""Classify and restore crops of discovered anatomical patterns."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ..networks.contract import DecodingNetwork, parameters_of
from ..transforms.corruption import Corruption
from ..utils.errors import UserError
from .base import Batch, Params, PretrainingMethod
from .restoration import error_per_crop


class SemanticGenesis(PretrainingMethod):
    r"""Joint self-classification and self-restoration, :math:`L = \lambda_{rec} L_{rec} + \lambda_{cls} L_{cls}`.

    Both branches see the corrupted crop; :math:`L_{cls}` is the cross-entropy of the pseudo label, :math:`L_{rec}` the
    mean squared error to the original crop. With ``lambda_rec=0`` it is the first stage, self-classification: the
    decoder is frozen and not run. (Haghighi et al., MICCAI 2020, section 2.)

    Args:
        network: encoder and decoder; the sigmoid of its logits is the restored intensity in [0, 1].
        head: gives logits ``(B, num_classes)`` of the encoder's deepest feature map.
        corruption: what is undone.
        lambda_rec: weight of the restoration loss.
        lambda_cls: weight of the classification loss.

    Raises:
        UserError: a weight is negative, ``lambda_cls`` is zero (take `Restoration`), or nothing can restore.
    """

    network: DecodingNetwork

    def __init__(
        self,
        network: DecodingNetwork,
        head: nn.Module,
        corruption: Corruption,
        lambda_rec: float = 1.0,
        lambda_cls: float = 0.01,
    ) -> None:
        super().__init__(network)
        if lambda_rec < 0 or lambda_cls <= 0:
            raise UserError(
                f"lambda_rec is {lambda_rec} and lambda_cls {lambda_cls}; they must be >= 0 and > 0. "
                "Without classification use the method Restoration."
            )
        if lambda_rec > 0 and "decoder" not in network.parts:
            raise UserError(
                f"lambda_rec is {lambda_rec}, but the network {type(network).__name__} has no decoder, which restores; "
                "set lambda_rec to 0 or take a network with a decoder."
            )
        self.head = head
        self.corruption = corruption
        self.lambda_rec = lambda_rec
        self.lambda_cls = lambda_cls
        if lambda_rec == 0:
            for parameter in parameters_of(network, *(part for part in network.parts if part != "encoder")):
                parameter.requires_grad_(False)

    def sample(self, batch: Batch, generator: torch.Generator, shared: torch.Generator) -> Params:
        """Draw the parameters of the corruption for ``batch["image"]``."""
        return self.corruption.sample(batch["image"].shape, generator)

    def classify(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, num_classes)`` of images ``(B, C, *spatial)`` as they are."""
        return self.head(self.network.forward_features(image)[-1]).float()

    def forward(self, batch: Batch, params: Params) -> dict[str, Any]:
        """Return ``loss``, ``size`` B, the parts ``classification`` and ``accuracy`` (B,), the picture ``corrupted``.

        Unless the decoder is frozen, the part ``restoration`` (B,) and the picture ``restored`` are given too.
        """
        corrupted = self.corruption.apply(batch["image"], params)
        features = self.network.forward_features(corrupted)
        logits = self.head(features[-1]).float()
        losses = cross_entropy(logits, batch["label"], reduction="none")
        output: dict[str, Any] = {
            "size": len(losses),
            "classification": losses.detach(),
            "accuracy": (logits.argmax(1) == batch["label"]).float(),
            "corrupted": corrupted,
        }
        loss = self.lambda_cls * losses.mean()
        if self.lambda_rec > 0:
            maps = self.network.forward_decoder(features)
            restored = torch.sigmoid(self.network.head(maps[-1]).float())
            errors = error_per_crop(restored, batch["image"])
            loss = loss + self.lambda_rec * errors.mean()
            output |= {"restoration": errors.detach(), "restored": restored.detach()}
        return {"loss": loss, **output}

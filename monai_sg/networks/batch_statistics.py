"""The batch norm of the released networks, which has no evaluation mode."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import batch_norm

from ..utils.errors import UserError


class BatchStatisticsNorm(nn.BatchNorm3d):
    """Normalise by the statistics of the batch, in evaluation too, as the released code of Models Genesis does.

    What comes out of an image then depends on the other images of its batch; with a batch of one it is instance norm
    with shared scale and shift. The running statistics are kept while training, so that the weights also fit networks
    with the usual batch norm; unlike the released code, evaluation leaves them as they are.

    Args:
        num_features: channels C of the input ``(B, C, *spatial)``, 2D or 3D.
    """

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.dim() not in (4, 5):
            raise UserError(
                f"The input has shape {tuple(input.shape)}; a batch (B, C, *spatial) in 2D or 3D is needed."
            )

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the normalised batch, of the shape of ``input``."""
        if self.training:
            return super().forward(input)
        self._check_input_dim(input)
        return batch_norm(input, None, None, self.weight, self.bias, True, 0.0, self.eps)

"""Validation of a network that several processes train."""

from __future__ import annotations

from monai.engines import SupervisedEvaluator

from ..utils.distributed import share_buffers


class SharedEvaluator(SupervisedEvaluator):
    """MONAI's evaluator; on every rank it looks at the buffers of rank 0, which are the ones that are saved."""

    def run(self, global_epoch: int = 1) -> None:
        """Validate, after the running statistics of rank 0 were given to all."""
        share_buffers(self.network)
        super().run(global_epoch)

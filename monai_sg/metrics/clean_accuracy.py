"""How well the pseudo labels of uncorrupted crops are told."""

from __future__ import annotations

from operator import itemgetter

import torch
from ignite.exceptions import NotComputableError
from ignite.metrics import Metric
from ignite.metrics.metric import reinit__is_reduced, sync_all_reduce
from monai.networks.utils import eval_mode

from ..methods.semantic_genesis import SemanticGenesis


class CleanAccuracy(Metric):
    """Balanced accuracy of the pseudo labels of crops as they are: the mean over classes of the recall.

    Args:
        method: classifies the crops.
        num_classes: number of pseudo labels C; chance is 1 / C.
    """

    def __init__(self, method: SemanticGenesis, num_classes: int) -> None:
        self.method = method
        self.num_classes = num_classes
        super().__init__(output_transform=itemgetter("image", "label"))

    @reinit__is_reduced
    def reset(self) -> None:
        """Forget all crops."""
        self._right = torch.zeros(self.num_classes, dtype=torch.float64)
        self._seen = torch.zeros(self.num_classes, dtype=torch.float64)

    @reinit__is_reduced
    def update(self, output: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Add a batch of images ``(B, 1, *spatial)`` and labels ``(B,)``."""
        image, label = output
        with eval_mode(self.method):
            predicted = self.method.classify(image).argmax(1)
        right = torch.bincount(label[predicted == label], minlength=self.num_classes)
        self._right = self._right.to(label.device) + right
        self._seen = self._seen.to(label.device) + torch.bincount(label, minlength=self.num_classes)

    @sync_all_reduce("_right", "_seen")
    def compute(self) -> float:
        """Return the balanced accuracy in [0, 1]; raises ``NotComputableError`` before the first crop."""
        present = self._seen > 0
        if not present.any():
            raise NotComputableError("No crop was seen, so there is no accuracy.")
        return float((self._right[present] / self._seen[present]).mean())

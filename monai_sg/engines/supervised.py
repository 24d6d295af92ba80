"""MONAI's supervised engines, with mixed precision on every device and a choice of what the best epoch is."""

from __future__ import annotations

from typing import Any

import monai.engines
import torch
from monai.inferers import Inferer, SimpleInferer

from .precision import in_precision, needs_scaler
from .selection import Selection


class SupervisedTrainer(monai.engines.SupervisedTrainer):
    """MONAI's trainer, whose ``amp`` works on every device: bfloat16, or float16 with a gradient scaler.

    The loss is always worked out in float32.

    Args:
        device: where to train.
        inferer: calls the network.
        amp: whether to use automatic mixed precision.
        arguments: all else that ``monai.engines.SupervisedTrainer`` takes.
    """

    def __init__(
        self, device: torch.device | str, inferer: Inferer | None = None, amp: bool = False, **arguments: Any
    ) -> None:
        device = torch.device(device)
        inferer = SimpleInferer() if inferer is None else inferer
        super().__init__(
            device=device,
            inferer=in_precision(inferer, device, amp),
            amp=needs_scaler(device, amp),
            **arguments,
        )


class SupervisedEvaluator(Selection, monai.engines.SupervisedEvaluator):
    """MONAI's evaluator; ``amp`` works on every device, and any metric may select the best epoch.

    Args:
        device: where to run.
        inferer: calls the network; what it puts together, such as windows, is float32.
        amp: whether to use automatic mixed precision.
        select_by: name of the metric that selects the best epoch; one that is not a number is never the best.
        larger_is_better: whether more of it is better.
        arguments: all else that ``monai.engines.SupervisedEvaluator`` takes.
    """

    def __init__(
        self,
        device: torch.device | str,
        inferer: Inferer | None = None,
        amp: bool = False,
        select_by: str = "loss",
        larger_is_better: bool = False,
        **arguments: Any,
    ) -> None:
        self.select_by, self.larger_is_better = select_by, larger_is_better
        device = torch.device(device)
        inferer = SimpleInferer() if inferer is None else inferer
        super().__init__(device=device, inferer=in_precision(inferer, device, amp), **arguments)

"""Stop a training whose loss is no longer a number."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Trainer

from ..utils.errors import NonFiniteError


class NonFiniteLoss:
    """Raise when a loss is NaN or infinite, naming the ids of its batch.

    The losses are looked at together every ``interval`` steps and at the end of an epoch, before validation, so that
    the device is not waited for in every step and no weights of a broken epoch are kept. Has to come before the
    handlers that validate and save.

    Args:
        interval: steps between two looks.
    """

    def __init__(self, interval: int = 20) -> None:
        self.interval = interval
        self._steps: list[tuple[int, list[str], torch.Tensor]] = []

    def attach(self, engine: Trainer) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.interval) | Events.EPOCH_COMPLETED, self.check)

    def note(self, engine: Engine) -> None:
        """Keep the loss of a step and the ids of its batch."""
        batch: Any = engine.state.batch
        ids = [str(name) for name in batch.get("id", [])]
        self._steps.append((engine.state.iteration, ids, engine.state.output["loss"].detach()))

    def check(self, engine: Engine) -> None:
        """Raise ``FloatingPointError`` for the first loss kept that is not finite."""
        steps, self._steps = self._steps, []
        if not steps:
            return
        finite = torch.stack([loss for _, _, loss in steps]).isfinite().tolist()
        for (iteration, ids, _), good in zip(steps, finite, strict=True):
            if not good:
                raise NonFiniteError(
                    f"The loss of step {iteration} is not finite; its batch holds the images {ids}. Look at them, "
                    "or lower learning_rate, or switch amp off. The last state saved is kept."
                )

"""Change the learning rate from epoch to epoch."""

from __future__ import annotations

from ignite.engine import Engine, Events
from monai.engines import Evaluator, Trainer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau


class LearningRate:
    """Step a scheduler at the end of every epoch.

    A ``ReduceLROnPlateau`` is given the metric of the last validation in every epoch after it, so that its patience
    counts epochs, as those of `EarlyStop` and ``val_interval`` do. (MONAI's ``LrScheduleHandler`` on a validator counts
    validations.) Has to come after the handler that validates.

    Args:
        lr_scheduler: changes the learning rate.
        validator: gives the metric.
        metric: name of the metric that a plateau is looked for in.
    """

    def __init__(
        self, lr_scheduler: LRScheduler | ReduceLROnPlateau, validator: Evaluator, metric: str = "loss"
    ) -> None:
        self.lr_scheduler = lr_scheduler
        self.validator = validator
        self.metric = metric

    def attach(self, engine: Trainer) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Step, unless the scheduler waits for the first validation."""
        if not isinstance(self.lr_scheduler, ReduceLROnPlateau):
            self.lr_scheduler.step()
        elif self.metric in self.validator.state.metrics:
            self.lr_scheduler.step(self.validator.state.metrics[self.metric])

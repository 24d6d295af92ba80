"""Stop a training that no longer gets better."""

from __future__ import annotations

import logging

from ignite.engine import Engine, Events
from monai.engines import Evaluator, Trainer

logger = logging.getLogger(__name__)


class EarlyStop:
    """Stop the trainer when the validator's best metric is ``patience`` epochs old.

    A handler of the trainer, after the one that validates. It has no state of its own: the epoch of the best metric
    belongs to the validator, whose state a resumed run restores. (MONAI's ``EarlyStopHandler`` counts for itself.)

    Args:
        validator: keeps the best metric and its epoch.
        patience: epochs to wait for a better one.
    """

    def __init__(self, validator: Evaluator, patience: int) -> None:
        self.validator = validator
        self.patience = patience

    def attach(self, engine: Trainer) -> None:
        """Attach to the trainer that is stopped."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Compare epochs, if there was a validation in this one."""
        state = self.validator.state
        waited = engine.state.epoch - max(state.best_metric_epoch, 0)  # -1 when none was the best
        if state.epoch == engine.state.epoch and waited >= self.patience:
            logger.info(f"Stops: the validation has not been better for {waited} epochs.")
            engine.terminate()

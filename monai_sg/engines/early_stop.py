"""Stop a training that no longer gets better."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine
from monai.engines import Evaluator, Trainer
from monai.handlers import EarlyStopHandler


class EarlyStop(EarlyStopHandler):
    """Stop the trainer after ``patience`` validations in which the validator's key metric did not fall.

    A handler of the trainer, after the one that validates. Its state is part of what a resumed run restores.

    Args:
        validator: gives the key metric, of which less is better.
        patience: validations to wait.
    """

    def __init__(self, validator: Evaluator, patience: int) -> None:
        self.validator = validator
        super().__init__(patience, lambda _: -validator.state.metrics[validator.state.key_metric_name])

    def attach(self, engine: Trainer) -> None:
        """Attach to the trainer that is stopped."""
        self.set_trainer(engine)
        super().attach(engine)

    def __call__(self, engine: Engine) -> None:
        """Compare, if there was a validation in this epoch."""
        if self.validator.state.epoch == engine.state.epoch:
            super().__call__(engine)

    def state_dict(self) -> dict[str, Any]:
        """Return the best score and the validations since."""
        return dict(self._handler.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the state of an interrupted run."""
        self._handler.load_state_dict(state_dict)

"""What an evaluation has measured, for reading."""

from __future__ import annotations

import logging

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..utils.distributed import rank

logger = logging.getLogger(__name__)


class MetricLines:
    """Log each metric on a line of its own at the end of an evaluation."""

    def attach(self, engine: Evaluator) -> None:
        """Attach to an evaluator."""
        if rank() == 0:
            engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Log the metrics of the evaluation that has just ended."""
        for name, value in engine.state.metrics.items():
            logger.info(f"{name:<32}{float(value):>10.4f}")

"""Which validation of a training was the best."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine, Events
from ignite.metrics import Metric

from ..utils.distributed import share_buffers
from ..utils.errors import UserError

logger = logging.getLogger(__name__)

Metrics = Mapping[str, Metric]


class Selection:
    """Part of an evaluator: every rank looks at the buffers of rank 0, and one metric says which epoch is the best.

    A class puts it before MONAI's evaluator and sets both attributes before that one's constructor. Unlike in MONAI's
    own comparison, the metric may be any value of a metric that gives several, and a value that is not a number is
    never the best, also not in the first validation.

    Attributes:
        select_by: name of the metric.
        larger_is_better: whether more of it is better.
    """

    network: Any
    state: Any
    select_by: str
    larger_is_better: bool

    def run(self, global_epoch: int = 1) -> None:
        """Validate, on every rank, the weights and running statistics of rank 0, which are the ones that are saved."""
        share_buffers(self.network)
        super().run(global_epoch)  # type: ignore[misc]

    def _register_metrics(
        self, k_metric: Mapping[str, Metric], add_metrics: Mapping[str, Metric] | None = None
    ) -> None:
        self.state.key_metric_name = self.select_by
        for name, metric in {**k_metric, **(add_metrics or {})}.items():
            metric.attach(self, name)
        self.add_event_handler(Events.EPOCH_COMPLETED, self._compare)  # type: ignore[attr-defined]

    def _compare(self, engine: Engine) -> None:
        """Remember the epoch if its validation is the best so far."""
        state = engine.state
        if self.select_by not in state.metrics:
            raise UserError(
                f"There is no metric {self.select_by!r} to select the best epoch by; set select_by of the evaluator to "
                f"one of {', '.join(state.metrics)}."
            )
        value = float(state.metrics[self.select_by])
        if math.isnan(value):
            logger.warning(f"{self.select_by} of epoch {state.epoch} is not a number; the epoch cannot be the best.")
        elif state.best_metric_epoch < 0 or (
            value > state.best_metric if self.larger_is_better else value < state.best_metric
        ):
            state.best_metric, state.best_metric_epoch = value, state.epoch

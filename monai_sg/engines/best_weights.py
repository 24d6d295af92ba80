"""Keep the weights of the best epoch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..methods.base import PretrainingMethod
from ..utils.distributed import rank
from ..weights.export import save_network, save_weights

logger = logging.getLogger(__name__)


class BestWeights:
    """After a validation that was the best so far, write the network alone and the method with its heads.

    Attached to the validator, whose best metric is part of the state a resumed run restores.

    Args:
        method: what is trained.
        network_path: file of the network, ``models/model.pt``, which `network_def` of the bundle loads.
        method_path: file of the method with its heads.
        description: what ``model.json`` beside the network says of method, data and preprocessing.
    """

    def __init__(
        self,
        method: PretrainingMethod,
        network_path: str | Path,
        method_path: str | Path,
        description: Mapping[str, Any],
    ) -> None:
        self.method = method
        self.network_path = Path(network_path)
        self.method_path = Path(method_path)
        self.description = dict(description)

    def attach(self, engine: Evaluator) -> None:
        """Attach to a validator."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write both files if this validation was the best."""
        if rank() == 0 and engine.state.best_metric_epoch == engine.state.epoch:
            save_weights(self.method, self.method_path)
            save_network(self.method.network, self.network_path, self.description)
            logger.info(f"Epoch {engine.state.epoch} is the best so far; its weights are in {self.network_path}.")

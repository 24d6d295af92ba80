"""Keep the weights of the best epoch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..methods.base import PretrainingMethod
from ..networks.contract import Network
from ..utils.distributed import rank
from ..weights.export import save_network, save_weights

logger = logging.getLogger(__name__)


class BestWeights:
    """After a validation that was the best so far, write the network, and the pre-training method with its heads.

    Attached to the validator, whose best metric is part of the state a resumed run restores.

    Args:
        network: what ``models/model.pt`` holds.
        network_path: file of the network, which `network_def` of the bundle loads.
        description: what ``model.json`` beside the network says of method, data and preprocessing.
        method: the pre-training method around the network, if there is one.
        method_path: file of the method with its heads.
    """

    def __init__(
        self,
        network: Network,
        network_path: str | Path,
        description: Mapping[str, Any],
        method: PretrainingMethod | None = None,
        method_path: str | Path | None = None,
    ) -> None:
        self.network = network
        self.network_path = Path(network_path)
        self.description = dict(description)
        self.method = method
        self.method_path = method_path

    def attach(self, engine: Evaluator) -> None:
        """Attach to a validator."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write both files if this validation was the best."""
        if rank() == 0 and engine.state.best_metric_epoch == engine.state.epoch:
            if self.method is not None and self.method_path is not None:
                save_weights(self.method, self.method_path)
            save_network(self.network, self.network_path, self.description)
            logger.info(f"Epoch {engine.state.epoch} is the best so far; its weights are in {self.network_path}.")

"""Keep the weights of the best epoch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..methods.base import PretrainingMethod
from ..networks.contract import Network
from ..utils.distributed import rank
from ..weights.export import save_network, save_weights
from .recalibration import Recalibration

logger = logging.getLogger(__name__)

NONE = -1
"""What MONAI's engines call the best epoch as long as there is none."""

Weights = dict[str, torch.Tensor]


class BestWeights:
    """After a validation that was the best so far, write the network, and the pre-training method with its heads.

    Attached to the validator, whose best metric is part of the state a resumed run restores. The weights are part of
    that state too: a run that was killed between writing weights and state goes on with the files that belong to its
    state. The network of a pre-training method is written with batch norm recalibrated on images as they are, the
    method with that of its training.

    Args:
        network: what ``models/model.pt`` holds.
        network_path: file of the network, which `network_def` of the bundle loads.
        description: what ``model.json`` beside the network says of method, data and preprocessing.
        method: the pre-training method around the network, if there is one.
        method_path: file of the method with its heads.
        recalibration: of the method's batch norm.
    """

    def __init__(
        self,
        network: Network,
        network_path: str | Path,
        description: Mapping[str, Any],
        method: PretrainingMethod | None = None,
        method_path: str | Path | None = None,
        recalibration: Recalibration | None = None,
    ) -> None:
        self.network = network
        self.network_path = Path(network_path)
        self.description = dict(description)
        self.method = method
        self.method_path = method_path
        self.recalibration = recalibration
        self._best: dict[str, Weights] = {}

    def attach(self, engine: Evaluator) -> None:
        """Attach to a validator."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write both files if this validation was the best, or if none had a value to be judged by so far."""
        state = engine.state
        if state.best_metric_epoch not in (state.epoch, NONE):
            return
        if state.best_metric_epoch == NONE and rank() == 0:
            logger.warning(
                f"The validation of epoch {state.epoch} has no value to select by, as where no label of it has "
                "foreground; until one has, the weights of the last epoch are kept."
            )
        method = {} if self.method is None else _copy(self.method)
        self._write_method()
        with nullcontext() if self.recalibration is None else self.recalibration.clean():
            self._best = {"network": _copy(self.network), "method": method}
            self._write_network()

    def state_dict(self) -> dict[str, Weights]:
        """Return the best weights so far, none before the first best validation."""
        return self._best

    def load_state_dict(self, state: Mapping[str, Weights]) -> None:
        """Write the files of the best weights so far again."""
        self._best = dict(state)
        if not self._best:
            return
        now = _copy(self.network if self.method is None else self.method)
        if self.method is not None:
            self.method.load_state_dict(self._best["method"])
            self._write_method()
        self.network.load_state_dict(self._best["network"])
        self._write_network()
        (self.network if self.method is None else self.method).load_state_dict(now)

    def _write_method(self) -> None:
        if rank() == 0 and self.method is not None and self.method_path is not None:
            save_weights(self.method, self.method_path)

    def _write_network(self) -> None:
        if rank() == 0:
            save_network(self.network, self.network_path, self.description)


def _copy(module: Network | PretrainingMethod) -> Weights:
    """Return the weights of a module, on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}

"""Keep the weights of the best epoch."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator

from ..methods.base import PretrainingMethod
from ..utils.distributed import rank
from ..utils.files import write_atomic

logger = logging.getLogger(__name__)


def save_weights(module: torch.nn.Module, path: str | Path) -> None:
    """Write a plain state dict on the CPU, atomically; ``torch.load(weights_only=True)`` reads it."""
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    write_atomic(path, lambda file: torch.save(state, file))


class BestWeights:
    """After a validation that was the best so far, write the network alone and the method with its heads.

    Attached to the validator, whose best metric is part of the state a resumed run restores.

    Args:
        method: what is trained.
        network_path: file of the network, ``models/model.pt``, which `network_def` of the bundle loads.
        method_path: file of the method with its heads.
    """

    def __init__(self, method: PretrainingMethod, network_path: str | Path, method_path: str | Path) -> None:
        self.method = method
        self.network_path = Path(network_path)
        self.method_path = Path(method_path)

    def attach(self, engine: Evaluator) -> None:
        """Attach to a validator."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write both files if this validation was the best."""
        if rank() == 0 and engine.state.best_metric_epoch == engine.state.epoch:
            save_weights(self.method, self.method_path)
            save_weights(self.method.network, self.network_path)
            logger.info(f"Epoch {engine.state.epoch} is the best so far; its weights are in {self.network_path}.")

"""Train the decoder alone for some epochs, so that it does not spoil a pre-trained encoder at first."""

from __future__ import annotations

import logging

from ignite.engine import Engine
from monai.engines import Trainer
from monai.engines.utils import IterationEvents

from ..networks.contract import Network, parameters_of

logger = logging.getLogger(__name__)


class FreezeEncoder:
    """Keep the weights of the encoder as they are in the first epochs.

    The gradients of the encoder are dropped before the optimiser sees them, which also holds inside
    ``DistributedDataParallel``. The statistics of its batch norm layers follow the new images from the start.

    Args:
        network: the network, unwrapped.
        epochs: number of epochs; 0 freezes nothing.
    """

    def __init__(self, network: Network, epochs: int) -> None:
        self.encoder = parameters_of(network, "encoder")
        self.epochs = epochs

    def attach(self, engine: Trainer) -> None:
        """Attach to a trainer that fires MONAI's iteration events."""
        if self.epochs > 0:
            logger.info(f"The encoder is frozen for {self.epochs} epochs.")
            engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Drop the encoder's gradients in a frozen epoch."""
        if engine.state.epoch <= self.epochs:
            for parameter in self.encoder:
                parameter.grad = None

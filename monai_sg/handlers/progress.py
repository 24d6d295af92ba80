"""Show how far a training is and when it ends."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack

from ignite.engine import Engine, Events
from monai.engines import Trainer
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ..utils.distributed import rank

logger = logging.getLogger(__name__)


class Progress:
    """A progress bar over all steps of a training, with the time left, on rank 0.

    Args:
        description: text before the bar.
        interval: steps between two looks at the loss, each of which waits for the device, and until the first estimate
            of the time left is logged.
    """

    def __init__(self, description: str, interval: int = 20) -> None:
        self.description = description
        self.interval = interval
        self._bar: tqdm | None = None
        self._redirect = ExitStack()
        self._start = (0.0, 0)

    def attach(self, engine: Trainer) -> None:
        """Attach to a trainer, after the handler that resumes it."""
        if rank() == 0:
            engine.add_event_handler(Events.EPOCH_STARTED, self.open)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
            engine.add_event_handler(Events.COMPLETED | Events.EXCEPTION_RAISED, self.close)

    def open(self, engine: Engine) -> None:
        """Open the bar where the training starts or resumes."""
        if self._bar is None:
            total = engine.state.epoch_length * engine.state.max_epochs
            done = engine.state.iteration
            self._redirect.enter_context(logging_redirect_tqdm())
            self._bar = tqdm(total=total, initial=done, desc=self.description, unit="step", dynamic_ncols=True)
            self._start = (time.monotonic(), done)

    def step(self, engine: Engine) -> None:
        """Advance the bar, show the loss now and then, and log the time left once."""
        if self._bar is None:
            return
        self._bar.update()
        done = engine.state.iteration - self._start[1]
        if engine.state.iteration % self.interval == 0:
            loss = float(engine.state.output["loss"].detach())
            self._bar.set_postfix(epoch=f"{engine.state.epoch}/{engine.state.max_epochs}", loss=f"{loss:.4f}")
        if done == self.interval:
            left = (time.monotonic() - self._start[0]) / done * (self._bar.total - engine.state.iteration)
            logger.info(f"{self.description}: about {left / 60:.1f} minutes left, validation not counted.")

    def close(self, engine: Engine, error: BaseException | None = None) -> None:
        """Close the bar; an error goes on to whoever started the training."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
            self._redirect.close()
        if error is not None:
            raise error

"""Show how far a training or an evaluation is and when it ends."""

from __future__ import annotations

import logging
import time

from ignite.engine import Engine, Events

from ..utils.distributed import rank
from ..utils.progress import Bar, duration

logger = logging.getLogger(__name__)

WORTH_SAYING = 60.0


class Progress:
    """A progress bar over all steps of an engine, with the time left, on rank 0.

    (Ignite's ``ProgressBar`` starts anew in every epoch, so that nobody sees when the training ends, waits for the
    device at every step if it shows the loss, and fills the log with bars where stderr is a file.)

    Args:
        description: text before the bar.
        interval: steps between two looks at the loss, each of which waits for the device, and until the time left is
            logged, if it is more than a minute.
    """

    def __init__(self, description: str, interval: int = 20) -> None:
        self.description = description
        self.interval = interval
        self._bar: Bar | None = None
        self._start = (0.0, 0)

    def attach(self, engine: Engine) -> None:
        """Attach to an engine, to a trainer after the handler that resumes it."""
        if rank() == 0:
            engine.add_event_handler(Events.EPOCH_STARTED, self.open)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
            engine.add_event_handler(Events.COMPLETED | Events.EXCEPTION_RAISED, self.close)

    def open(self, engine: Engine) -> None:
        """Open the bar where the engine starts or resumes."""
        if self._bar is None:
            total = engine.state.epoch_length * engine.state.max_epochs
            done = engine.state.iteration
            self._bar = Bar(total=total, initial=done, desc=self.description, unit="step")
            self._start = (time.monotonic(), done)

    def step(self, engine: Engine) -> None:
        """Advance the bar, show the loss now and then, and log the time left once."""
        if self._bar is None:
            return
        self._bar.update()
        output = engine.state.output
        if engine.state.iteration % self.interval == 0 and isinstance(output, dict) and "loss" in output:
            loss = float(output["loss"].detach())
            epoch = f"{engine.state.epoch}/{engine.state.max_epochs}"
            self._bar.set_postfix(epoch=epoch, loss=f"{loss:.4f}", refresh=False)
        done = engine.state.iteration - self._start[1]
        if done == self.interval:
            left = (time.monotonic() - self._start[0]) / done * (self._bar.total - engine.state.iteration)
            if left > WORTH_SAYING:
                logger.info(f"{self.description}: about {duration(left)} left, validation not counted.")

    def close(self, engine: Engine, error: BaseException | None = None) -> None:
        """Close the bar; an error goes on to whoever started the engine."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if error is not None:
            raise error

"""Continue an interrupted run from its last finished epoch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator, Trainer

from ..utils.distributed import rank, world_size
from ..utils.files import write_atomic

logger = logging.getLogger(__name__)


class Record(Protocol):
    """The entry of a stage in ``run.json``, see `RunRecord`."""

    @property
    def is_finished(self) -> bool:
        """Whether the stage has finished in this folder."""

    def check(self) -> None:
        """Refuse a folder that belongs to a run with other settings."""

    def write(self, finished: bool, **facts: Any) -> None:
        """Store settings, state and facts."""


class Resume:
    """Save the whole training state at the end of an epoch and load it when the same run is started again.

    The state is that of ``objects``, the gradient scaler, the number of the epoch, and the best metric of trainer and
    validator, so that a worse model after a restart never replaces a better one. No generator is saved, for all
    randomness is a function of seed, epoch and step. A run that is killed repeats what came after the last state: the
    epoch under way, and short epochs of up to ``interval`` seconds before it. When the run ends the state is removed:
    running again then starts anew. Another number of processes may continue it, from the same epoch; their steps are
    others, hence so is the result. Has to be the last of the handlers of the trainer.

    Args:
        path: file of the state, in the output folder.
        objects: name to anything with ``state_dict`` and ``load_state_dict``: method, optimizer, scheduler.
        validator: whose best metric is kept.
        record: the stage's entry in ``run.json``; another run's folder is refused with the difference.
        interval: least time in seconds between two states, counted from the start of the run; 0 saves every epoch.
    """

    def __init__(
        self,
        path: str | Path,
        objects: Mapping[str, Any],
        validator: Evaluator,
        record: Record,
        interval: float = 30.0,
    ) -> None:
        self.path = Path(path)
        self.objects = dict(objects)
        self.validator = validator
        self.record = record
        self.interval = interval
        self._last = 0.0

    def attach(self, engine: Trainer) -> None:
        """Attach to a trainer."""
        engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def load(self, engine: Engine) -> None:
        """Continue after the last epoch saved, if there is one; raises ``ValueError`` for another run's folder."""
        self._last = monotonic()
        self.record.check()
        finished = self.record.is_finished
        if rank() == 0 and finished:
            self.path.unlink(missing_ok=True)  # a run that was killed while it finished leaves its state
        if finished or not self.path.is_file():
            if rank() == 0:
                self.record.write(finished=False)
            return
        # On the CPU, where Adam's count of steps has to stay; the objects move the rest to their devices.
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        for name, item in self.objects.items():
            item.load_state_dict(state["objects"][name])
        if engine.scaler is not None and state["scaler"]:  # empty if the run began where nothing had to be scaled
            engine.scaler.load_state_dict(state["scaler"])
        for target, values in ((engine.state, state["trainer"]), (self.validator.state, state["validator"])):
            for name, value in values.items():
                setattr(target, name, value)
        # An epoch has other steps when the number of processes is another, and ignite counts epochs by them.
        engine.state.iteration = engine.state.epoch * engine.state.epoch_length
        if state["processes"] != world_size():
            logger.warning(
                f"The run began with {state['processes']} processes and goes on with {world_size()}; its result is not "
                "that of a run with either."
            )
        logger.info(f"Resumes after epoch {engine.state.epoch} of {engine.state.max_epochs} from {self.path}.")

    def save(self, engine: Engine) -> None:
        """Write the state of the epoch that has just ended, unless the last one is younger than ``interval``."""
        if rank() > 0 or monotonic() - self._last < self.interval:
            return
        best = ("best_metric", "best_metric_epoch")
        state = {
            "objects": {name: item.state_dict() for name, item in self.objects.items()},
            "scaler": {} if engine.scaler is None else engine.scaler.state_dict(),
            "processes": world_size(),
            "trainer": {name: getattr(engine.state, name) for name in ("epoch", *best)},
            "validator": {name: getattr(self.validator.state, name) for name in best},
        }
        write_atomic(self.path, lambda file: torch.save(state, file))
        self._last = monotonic()

    def finish(self, engine: Engine) -> None:
        """Note that the run has ended and remove its state."""
        if rank() > 0:
            return
        self.record.write(finished=True, epochs=engine.state.epoch, max_epochs=engine.state.max_epochs)
        self.path.unlink(missing_ok=True)

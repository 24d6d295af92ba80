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

from ..utils.distributed import barrier, rank, world_size
from ..utils.errors import UserError
from ..utils.files import write_atomic

logger = logging.getLogger(__name__)


class Record(Protocol):
    """The entry of a stage in ``run.json``, see `RunRecord`."""

    @property
    def is_finished(self) -> bool:
        """Whether the stage has finished in this folder."""

    @property
    def starts_anew(self) -> bool:
        """Whether a stage that has finished is to be run again from its beginning."""

    def check(self) -> None:
        """Refuse a folder that belongs to a run with other settings."""

    def check_repetition(self, epochs: int) -> None:
        """Refuse to repeat a stage that has finished, unless it is to go on to more epochs."""

    def write(self, finished: bool, **facts: Any) -> None:
        """Store settings, state and facts."""


class Resume:
    """Save the whole training state at the end of an epoch and load it when the same run is started again.

    The state is that of ``objects``, the gradient scaler, the number of the epoch, the best metric of trainer and
    validator, and the last metrics of the validator; with `BestWeights` among the objects the best weights are part of
    it, so that they and the state always belong together. No generator is saved, for all randomness is a function of
    seed, epoch and step. A run that is killed repeats what came after the last state: the epoch under way, and short
    epochs of up to ``interval`` seconds before it. When the run ends, its state stays, so that more epochs can continue
    it. Another number of processes may continue a run, from the same epoch; their steps are others, hence so is the
    result. Has to be the last of the handlers of the trainer.

    Args:
        path: file of the state, in the output folder.
        objects: name to anything with ``state_dict`` and ``load_state_dict``: method, optimizer, scheduler.
        validator: whose best metric is kept.
        record: the stage's entry in ``run.json``; another run's folder, and repeating a run that has finished, are
            refused.
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
        """Continue after the last epoch saved, if there is one.

        Raises:
            ValueError: the folder belongs to another run, or this one has finished.
        """
        self._last = monotonic()
        self.record.check()
        anew = self.record.starts_anew
        if not anew:
            self.record.check_repetition(engine.state.max_epochs)
        barrier()  # all ranks have looked at the record before it changes
        if rank() == 0:
            if anew:
                self.path.unlink(missing_ok=True)
            if anew or not self.record.is_finished:
                self.record.write(finished=False)
        barrier()
        if self.path.is_file():
            self._restore(engine)

    def _restore(self, engine: Engine) -> None:
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
        done, wanted = engine.state.epoch, engine.state.max_epochs
        if done >= wanted:
            logger.warning(
                f"{done} epochs were trained before, so nothing is left to train for epochs = {wanted}; the weights "
                "are those of the best of them."
            )
            return
        logger.info(
            f"Resumes after epoch {done} of {wanted} from {self.path}; an epoch that is better than those before "
            "overwrites the weights."
        )

    def save(self, engine: Engine) -> None:
        """Write the state of the epoch that has just ended, unless the last one is younger than ``interval``."""
        if rank() == 0 and monotonic() - self._last >= self.interval:
            self._write(engine)

    def _write(self, engine: Engine) -> None:
        best = ("best_metric", "best_metric_epoch")
        validator = {name: getattr(self.validator.state, name) for name in best}
        validator["metrics"] = {name: float(value) for name, value in self.validator.state.metrics.items()}
        state = {
            "objects": {name: item.state_dict() for name, item in self.objects.items()},
            "scaler": {} if engine.scaler is None else engine.scaler.state_dict(),
            "processes": world_size(),
            "trainer": {name: getattr(engine.state, name) for name in ("epoch", *best)},
            "validator": validator,
        }
        write_atomic(self.path, lambda file: torch.save(state, file))
        self._last = monotonic()

    def finish(self, engine: Engine) -> None:
        """Note that the run has ended, and which epoch was the best; raises ``ValueError`` if none was."""
        state = self.validator.state
        if state.best_metric_epoch < 1:
            raise UserError(
                f"No epoch can be selected: {state.key_metric_name} was never a number, as where no validation image "
                "shows what is looked for. Look at the validation images, or select_by another metric."
            )
        if rank() > 0:
            return
        self._write(engine)
        self.record.write(
            finished=True,
            epochs=engine.state.epoch,
            max_epochs=engine.state.max_epochs,
            selected_epoch=state.best_metric_epoch,
            selected_by=state.key_metric_name,
            selected_value=float(state.best_metric),
            learning_rate=engine.optimizer.param_groups[0]["lr"],
        )

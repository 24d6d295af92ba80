"""MONAI engines that train and validate a pre-training method."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, cast

import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from monai.engines import Evaluator, Trainer
from monai.inferers import Inferer, SimpleInferer
from monai.utils import convert_to_tensor
from torch.utils.data import DataLoader

from ..methods.base import Batch, Params, PretrainingMethod
from ..utils.distributed import rank, unwrapped
from ..utils.seeds import generator_for
from .precision import autocast, gradient_scaler
from .selection import Selection


def on_device(batch: dict[str, Any], device: torch.device, non_blocking: bool) -> dict[str, Any]:
    """Move the tensors of a batch to the device as plain tensors; other entries stay as they are."""
    moved = {}
    for key, value in batch.items():
        if isinstance(value, torch.Tensor):
            value = convert_to_tensor(value, track_meta=False).to(device, non_blocking=non_blocking)
        moved[key] = value
    return moved


def drawn(method: PretrainingMethod, batch: Batch, seed: int, purpose: str, step: int, device: torch.device) -> Params:
    """Return the random numbers of a step, a function of the seed, what they are for, the step and the rank.

    Args:
        method: draws them.
        batch: on the device.
        seed: of the run.
        purpose: names the sequence of steps.
        step: number of the step.
        device: that of the method.
    """
    return method.sample(
        batch,
        generator_for(seed, purpose, step, rank(), device=device),
        generator_for(seed, purpose, step, "all ranks", device=device),
    )


class PretrainingTrainer(Trainer):
    """Train a `PretrainingMethod`: the loss is the method's own, the random numbers of a step come from (seed, step).

    Each rank draws its own, but for the choices that the method makes for all ranks together.

    Mixed precision works on every device; the gradient scaler is active for float16 only.

    Args:
        device: where to train.
        max_epochs: number of epochs.
        train_data_loader: gives dictionaries with ``image`` and whatever else the method needs.
        network: the method, wrapped for distributed training or not.
        optimizer: of the method's parameters.
        seed: of the random numbers of all steps.
        inferer: calls the network, as everywhere in MONAI.
        key_train_metric: metrics of the method's output, the first is the key metric.
        additional_metrics: further metrics.
        train_handlers: handlers with ``attach``.
        amp: whether to use automatic mixed precision.
        compile: whether to compile the method.
    """

    def __init__(
        self,
        device: torch.device | str,
        max_epochs: int,
        train_data_loader: DataLoader[Any],
        network: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        seed: int = 0,
        inferer: Inferer | None = None,
        key_train_metric: dict[str, Metric] | None = None,
        additional_metrics: dict[str, Metric] | None = None,
        train_handlers: Sequence[Any] | None = None,
        amp: bool = False,
        compile: bool = False,
    ) -> None:
        super().__init__(
            device=device,
            max_epochs=max_epochs,
            data_loader=train_data_loader,
            non_blocking=True,
            key_metric=key_train_metric,
            additional_metrics=additional_metrics,
            metric_cmp_fn=operator.lt,
            handlers=train_handlers,
            amp=amp,
            decollate=False,
        )
        self.method = cast(PretrainingMethod, unwrapped(network))
        self.network = cast(torch.nn.Module, torch.compile(network)) if compile else network
        self.optimizer = optimizer
        self.seed = seed
        self.inferer = SimpleInferer() if inferer is None else inferer

    def run(self) -> None:
        """Train up to ``max_epochs``; a resume handler may start it later than the first epoch."""
        self.scaler = gradient_scaler(self.state.device, self.amp)
        super(Trainer, self).run()

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> dict[str, Any]:
        device = self.state.device
        batch = on_device(batchdata, device, self.non_blocking)
        params = drawn(self.method, batch, self.seed, "step", self.state.iteration, device)
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(device, self.amp):
            output = self.inferer(batch, self.network, params)
        self.scaler.scale(output["loss"]).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return {**output, "loss": output["loss"].detach()}


class PretrainingEvaluator(Selection, Evaluator):
    """Validate a `PretrainingMethod` with the same corruptions every time.

    Args:
        device: where to run.
        val_data_loader: gives dictionaries with ``image`` and whatever else the method needs.
        network: the method, unwrapped.
        seed: of the corruptions, which depend on it and the number of the batch.
        inferer: calls the network.
        key_val_metric: metrics of the method's output.
        additional_metrics: further metrics.
        val_handlers: handlers with ``attach``.
        amp: whether to use automatic mixed precision.
        select_by: name of the metric that selects the best epoch; one that is not a number is never the best.
        larger_is_better: whether more of it is better.
    """

    def __init__(
        self,
        device: torch.device | str,
        val_data_loader: DataLoader[Any],
        network: PretrainingMethod,
        seed: int = 0,
        inferer: Inferer | None = None,
        key_val_metric: dict[str, Metric] | None = None,
        additional_metrics: dict[str, Metric] | None = None,
        val_handlers: Sequence[Any] | None = None,
        amp: bool = False,
        select_by: str = "loss",
        larger_is_better: bool = False,
    ) -> None:
        self.select_by, self.larger_is_better = select_by, larger_is_better
        super().__init__(
            device=device,
            val_data_loader=val_data_loader,
            non_blocking=True,
            key_val_metric=key_val_metric,
            additional_metrics=additional_metrics,
            val_handlers=val_handlers,
            amp=amp,
            decollate=False,
        )
        self.network = network
        self.seed = seed
        self.inferer = SimpleInferer() if inferer is None else inferer

    def _iteration(self, engine: Engine, batchdata: dict[str, Any]) -> dict[str, Any]:
        device = self.state.device
        batch = on_device(batchdata, device, self.non_blocking)
        step = (self.state.iteration - 1) % self.state.epoch_length
        params = drawn(self.network, batch, self.seed, "validation", step, device)
        with self.mode(self.network), autocast(device, self.amp):
            output = self.inferer(batch, self.network, params)
        return {**output, **{name: value for name, value in batch.items() if isinstance(value, torch.Tensor)}}

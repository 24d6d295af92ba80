"""Running statistics of batch norm that belong to the weights they are validated and saved with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, cast

import torch
from ignite.engine import Events
from monai.data import DataLoader
from monai.engines import Evaluator
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from ..data.seeded import EpochSampler, SeededDataset
from ..engines.precision import autocast
from ..engines.pretraining import on_device
from ..methods.base import PretrainingMethod
from ..utils.distributed import all_sum, rank, world_size
from ..utils.seeds import generator_for, seed_for

logger = logging.getLogger(__name__)

Batch = dict[str, Any]

LEAST, SHARE = 2, 4


class Recalibration:
    """Before every validation, work out the running statistics of batch norm anew over some training batches.

    While a network learns, its running statistics lag behind its weights, so that the same weights seem good in one
    validation and useless in the next. (Izmailov et al., Averaging Weights Leads to Wider Optima, UAI 2018, section
    3.2, use the same pass.) The batches are always the same ones, a function of the seed; ranks share them, and all end
    with the same statistics. Nothing that trains depends on running statistics, so the training is not changed. Layers
    that no batch reaches keep their statistics; without batch norm nothing happens. Attached to the validator, as the
    first of its handlers.

    Args:
        network: what is validated: a network, or a pre-training method, which sees the batches as it is trained.
        dataset: the training items.
        batch_size: items in a batch of one process.
        seed: of the choice of batches, and of their corruptions.
        device: where the network is.
        batches: how many at most; as many more as make it a multiple of the number of processes.
        steps: of the training between two validations; it takes no more than a quarter of their number, so that short
            epochs do not become dear, but two batches in any case.
        amp: whether the network runs in mixed precision.
        num_workers: processes that load the batches, once.
    """

    def __init__(
        self,
        network: nn.Module,
        dataset: SeededDataset,
        batch_size: int,
        seed: int,
        device: torch.device | str,
        batches: int = 8,
        steps: int | None = None,
        amp: bool = False,
        num_workers: int = 0,
    ) -> None:
        self.network = network
        self.dataset, self.batch_size, self.num_workers = dataset, batch_size, num_workers
        self.seed, self.device, self.amp = seed, torch.device(device), amp
        self.batches = batches if steps is None else min(batches, max(LEAST, -(-steps // SHARE)))
        self._loaded: list[Batch] | None = None
        self._is_first = True

    def attach(self, engine: Evaluator) -> None:
        """Attach to a validator."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self) -> None:
        """Recalibrate the network as it is trained; all ranks call it."""
        start = monotonic()
        if self._recalibrate(self.network, self._step) and self._is_first:
            self._is_first = False
            logger.info(
                f"Batch norm is recalibrated over {self._count()} batches of {self.batch_size} before each validation; "
                f"it took {monotonic() - start:.1f} s."
            )

    @contextmanager
    def clean(self) -> Iterator[None]:
        """Give the network inside a pre-training method, for a while, the statistics of images as they are.

        They are what fine-tuning and inference will see. All ranks enter it. Another network is left as it is.
        """
        method = self.network
        if not isinstance(method, PretrainingMethod):
            yield
            return
        network = cast(nn.Module, method.network)
        before = _statistics(_layers(network))
        self._recalibrate(network, lambda batch, _: method.forward_clean(batch))
        try:
            yield
        finally:
            _restore(before)

    def _step(self, batch: Batch, number: int) -> None:
        if not isinstance(self.network, PretrainingMethod):
            self.network(batch["image"])
            return
        generator = generator_for(self.seed, "recalibration", number, device=self.device)
        shared = generator_for(self.seed, "recalibration of all", number // world_size(), device=self.device)
        self.network(batch, self.network.sample(batch, generator, shared))

    def _recalibrate(self, network: nn.Module, step: Callable[[Batch, int], None]) -> bool:
        """Return whether the network has batch norm."""
        layers = _layers(network)
        if not layers:
            return False
        before = _statistics(layers)
        moved = (on_device(batch, self.device, non_blocking=True) for batch in self._own())
        numbered = ({"number": number, **batch} for number, batch in zip(self._numbers(), moved, strict=True))
        with torch.no_grad(), autocast(self.device, self.amp):
            update_bn(numbered, _Numbered(network, step).train(network.training))
        _share(layers)
        _restore([(layer, values) for layer, values in before if layer.num_batches_tracked == 0])
        return True

    def _count(self) -> int:
        return -(-self.batches // world_size()) * world_size()

    def _numbers(self) -> range:
        """Return the numbers of this rank's batches."""
        return range(rank(), self._count(), world_size())

    def _own(self) -> Sequence[Batch]:
        """Return this rank's batches, which are read once."""
        if self._loaded is None:
            size = self.batch_size
            seed = seed_for(self.seed, "recalibration")
            order = list(EpochSampler(self.dataset, seed, num_samples=self._count() * size, num_replicas=1, rank=0))
            chosen = [order[number * size : (number + 1) * size] for number in self._numbers()]
            loader = DataLoader(
                self.dataset, self.num_workers, batch_sampler=chosen, generator=torch.Generator().manual_seed(0)
            )
            self._loaded = list(loader)
        return self._loaded


class _Numbered(nn.Module):
    """What PyTorch's ``update_bn`` calls with a batch: the step of a network, which knows the number of the batch."""

    def __init__(self, network: nn.Module, step: Callable[[Batch, int], None]) -> None:
        super().__init__()
        self.network = network
        self.step = step

    def forward(self, batch: Batch) -> None:
        self.step({name: value for name, value in batch.items() if name != "number"}, batch["number"])


Statistics = list[tuple[_BatchNorm, dict[str, torch.Tensor]]]


def _layers(network: nn.Module) -> list[_BatchNorm]:
    """Return the layers of batch norm that have running statistics."""
    return [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


def _statistics(layers: Sequence[_BatchNorm]) -> Statistics:
    """Return a copy of the statistics."""
    return [(layer, {name: value.clone() for name, value in layer.named_buffers()}) for layer in layers]


def _restore(statistics: Statistics) -> None:
    for layer, values in statistics:
        for name, value in layer.named_buffers():
            value.copy_(values[name])


def _share(layers: Sequence[_BatchNorm]) -> None:
    """Give all ranks the mean over the batches of all ranks."""
    if world_size() == 1:
        return
    for layer in layers:
        values = dict(layer.named_buffers())
        number = values.pop("num_batches_tracked")
        total = all_sum(number)
        for value in values.values():
            value.copy_(all_sum(value.double() * number) / total.clamp(min=1))
        number.copy_(total)

"""A training step of Semantic Genesis, whole and in pieces, beside the published way of doing it in plain PyTorch."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.utils.flop_counter import FlopCounterMode

from monai_sg.data.seeded import SeededDataset
from monai_sg.engines.precision import amp_default
from monai_sg.engines.pretraining import PretrainingTrainer
from monai_sg.transforms.genesis_corruption import GenesisCorruption
from monai_sg.transforms.identity import Identity

from . import reference_corruption as published
from .measure import best_seconds, peak_mb, reset_peak, seconds_of, synchronize
from .reference_network import ReferenceNetwork
from .table import Row, compared, limited
from .training import (
    CLASSES,
    LEARNING_RATE,
    Batch,
    Settings,
    endless,
    example,
    loader,
    method_of,
    patterns,
    reference_step,
    step,
)

GROUP = "step"
Work = Callable[[], object]
Array = np.ndarray


class Clock:
    """Notes when each iteration of an engine is done."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.times: list[float] = []

    def attach(self, engine: Engine) -> None:
        """Be called after each iteration."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Note the time once the device is done."""
        synchronize(self.device)
        self.times.append(time.perf_counter())


def rows(args: argparse.Namespace) -> list[Row]:
    """Time reading, corrupting, the step itself and all of it."""
    with tempfile.TemporaryDirectory() as name:
        dataset = patterns(Path(name), args)
        crops = _crops_in_memory(dataset)
        load, in_memory = _load(dataset, crops, args)
        corrupt, one_by_one = _corrupt(args)
        plain = Settings(amp=amp_default(args.device), channels_last=True, threads=args.threads)
        steps = _steps(args, plain)
        whole, whole_reference = _whole(dataset, crops, args)
    memory, memory_reference = _peaks(args, plain)

    def rate(work: str, seconds: float, reference: float, target: float | None = None, note: str = "") -> Row:
        return compared(GROUP, work, args.batch / seconds, "crops/s", args.batch / reference, target=target, note=note)

    precision = f"{'bfloat16' if plain.amp else 'float32'}; reference: float32"
    found = [
        rate("load", load, in_memory, note="from the volume cache on disk; reference: an array in memory"),
        rate("corrupt", corrupt, one_by_one, note="Models Genesis, tiled; reference: one crop after the other"),
        rate("forward, backward, optimiser", steps["own"], steps["reference"], note=precision),
        rate("all together", whole, whole_reference, note=f"{args.workers} workers of the data loader"),
        compared(GROUP, "peak memory", memory, "MB", memory_reference),
        _utilisation(args, steps["own"], plain),
    ]
    share, work = 100 * corrupt / (corrupt + steps["own"]), "corruption's share of the step"
    if args.device == "cpu":
        return [*found, Row(GROUP, work, share, "%")]
    strict = rate("the same, reference without TF32", steps["own"], steps["float32"], target=6, note=precision)
    return [*found, strict, limited(GROUP, work, share, "%", 5)]


def _crops_in_memory(dataset: SeededDataset) -> tuple[Array, list[int]]:
    """Return all crops ``(N, 1, *spatial)`` and their labels."""
    items = [dataset[index] for index in range(len(dataset))]
    return np.stack([item["image"].numpy() for item in items]), [int(item["label"]) for item in items]


def _load(dataset: SeededDataset, crops: tuple[Array, list[int]], args: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds of reading a batch from the volume cache, and of taking it from an array in memory."""
    batches = endless(loader(dataset, args, 4))
    released = _released_batches(*crops, args, None)

    def ours() -> None:
        batch = next(batches)
        batch["image"].to(args.device), batch["label"].to(args.device)

    seconds = best_seconds({"cache": ours, "memory": lambda: next(released)}, 2 * args.repeats)
    return seconds["cache"], seconds["memory"]


def _released_batches(
    crops: Array,
    labels: list[int],
    args: argparse.Namespace,
    corrupt: Callable[[Array, np.random.Generator], Array] | None,
) -> Iterator[Batch]:
    """Take crops from the array that holds all of them, corrupt one after the other, and stack them."""
    rng = np.random.default_rng(0)
    while True:
        chosen = rng.integers(len(crops), size=args.batch)
        originals = [crops[index].copy() for index in chosen]
        corrupted = [crop if corrupt is None else corrupt(crop[0], rng)[None] for crop in originals]
        yield {
            "image": torch.from_numpy(np.stack(originals)).to(args.device),
            "corrupted": torch.from_numpy(np.stack(corrupted).astype(np.float32)).to(args.device),
            "label": torch.tensor([labels[index] for index in chosen]).to(args.device),
        }


def _corrupt(args: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds of corrupting a batch, by our transforms and by the published procedure."""
    corruption, generator = GenesisCorruption(), torch.Generator(args.device)
    image = example(args)["image"]
    crops = image.cpu().numpy()[:, 0]

    def own() -> None:
        for seed in range(4):  # the share of shuffled crops varies from batch to batch
            corruption(image, generator.manual_seed(seed))

    def reference() -> None:
        rng = np.random.default_rng(0)
        for crop in crops:
            published.genesis(crop, rng)

    seconds = best_seconds({"own": own, "reference": reference}, args.repeats, args.device)
    return seconds["own"] / 4, seconds["reference"]


def _steps(args: argparse.Namespace, plain: Settings) -> dict[str, float]:
    """Return the seconds of forward, backward and optimiser: ours, the reference's, and on a GPU that without TF32."""
    batch = example(args)
    corrupted = {**batch, "corrupted": batch["image"]}
    reference, strict = reference_step(args), reference_step(args, tf32=False)
    works: dict[str, Work] = {
        "own": step(method_of(args, Identity()), batch, plain),
        "reference": lambda: reference(corrupted),
    }
    if args.device == "cuda":
        works["float32"] = lambda: strict(corrupted)
    return best_seconds(works, args.repeats, args.device)


def _whole(dataset: SeededDataset, crops: tuple[Array, list[int]], args: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds of an iteration of the trainer, and of the reference's loop."""
    method, clock = method_of(args, GenesisCorruption()), Clock(args.device)
    PretrainingTrainer(
        device=torch.device(args.device),
        max_epochs=1,
        train_data_loader=loader(dataset, args, args.repeats + 1, args.workers),
        network=method,
        optimizer=torch.optim.Adam(method.parameters(), lr=LEARNING_RATE),
        train_handlers=[clock],
        amp=amp_default(args.device),
    ).run()
    iterations = np.diff(clock.times)
    # Workers read ahead, so that only all iterations together say how fast they come.
    own = float(np.mean(iterations) if args.workers else np.median(iterations))
    batches, train = _released_batches(*crops, args, published.genesis), reference_step(args)
    train(next(batches))
    reference = [seconds_of(lambda: train(next(batches)), args.device) for _ in range(args.repeats)]
    return own, float(np.median(reference))


def _peaks(args: argparse.Namespace, plain: Settings) -> tuple[float, float]:
    """Return the peak memory in MB of two steps, ours and the reference's."""

    def peak(make: Callable[[], Work]) -> float:
        reset_peak(args.device)
        work = make()
        work()
        work()
        return peak_mb(args.device)

    def reference() -> Work:
        train, batch = reference_step(args), example(args)
        return lambda: train({**batch, "corrupted": batch["image"]})

    return peak(lambda: step(method_of(args, Identity()), example(args), plain)), peak(reference)


def _utilisation(args: argparse.Namespace, seconds: float, plain: Settings) -> Row:
    """Compare the arithmetic of the step with the rate of a large product of matrices in the same precision."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        restored, logits = ReferenceNetwork(args.width, CLASSES)(torch.empty(1, 1, *args.size))
        (restored.sum() + logits.sum()).backward()
    operations = counter.get_total_flops() * args.batch
    edge = 8192 if args.device == "cuda" else 1024
    factor = torch.rand(edge, edge, device=args.device, dtype=torch.bfloat16 if plain.amp else torch.float32)
    product = best_seconds({"": lambda: factor @ factor}, max(3, args.repeats), args.device)[""]
    rate, limit = operations / seconds, 2 * edge**3 / product
    note = f"{rate / 1e9:.1f} of {limit / 1e9:.1f} GFLOP/s; {operations / args.batch / 1e9:.1f} GFLOP per crop"
    return Row(GROUP, "rate of arithmetic beside a product of matrices", 100 * rate / limit, "%", note=note)

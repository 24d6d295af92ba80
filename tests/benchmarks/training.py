"""The training of Semantic Genesis in pieces: crops from a volume cache, and a step of the optimiser."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.transforms import Compose, EnsureTyped, ScaleIntensityRanged
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader

from monai_sg.data.boxes.read import ReadBoxd
from monai_sg.data.cache.opening import open_cache
from monai_sg.data.records import Datalist
from monai_sg.data.seeded import EpochSampler, SeededDataset
from monai_sg.engines.precision import autocast
from monai_sg.methods.semantic_genesis import SemanticGenesis
from monai_sg.networks.genesis_unet import GenesisUNet
from monai_sg.networks.heads import PatternHead
from monai_sg.transforms.corruption import Corruption
from monai_sg.weights.load import initialised

from .reference_network import ReferenceNetwork

CLASSES = 44
RECORDS = 48
LEARNING_RATE = 1e-3
Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Settings:
    """How a step is computed; the defaults are plain PyTorch, the bundles lay the network out channels last."""

    amp: bool = False
    channels_last: bool = False
    compile: bool = False
    fused: bool = False
    deterministic: bool = False
    threads: int = 1


def volumes(folder: Path, size: list[int], number: int = 4) -> Datalist:
    """Write images of noise three times as large as a crop along each axis."""
    rng = np.random.default_rng(0)
    names = [f"image{index}" for index in range(number)]
    for name in names:
        array = rng.normal(-400, 300, [3 * length for length in size]).astype(np.int16)
        nib.save(nib.Nifti1Image(array, np.eye(4)), folder / f"{name}.nii")
    return Datalist([{"image": f"{name}.nii", "id": name, "patient": name} for name in names])


def patterns(folder: Path, args: argparse.Namespace) -> SeededDataset:
    """Make the data set of training: boxes of a pattern table, a third of them at each of the three scales."""
    datalist = volumes(folder, args.size)
    cache = open_cache(datalist, folder, folder / "cache", progress=False)
    rng = np.random.default_rng(0)
    records = []
    for index in range(RECORDS):
        edges = [int(length * (1, 0.8, 1.25)[index % 3]) for length in args.size]
        edges[-1] = args.size[-1]
        starts = [int(rng.integers(0, 3 * length - edge)) for length, edge in zip(args.size, edges, strict=True)]
        box = [[start, start + edge] for start, edge in zip(starts, edges, strict=True)]
        records.append(
            {"id": cache.ids[index % len(cache)], "label": index % CLASSES, "scale": 1 + index % 3, "box": box}
        )
    transform = Compose(
        [
            ReadBoxd(cache, args.size),
            ScaleIntensityRanged("image", -1000, 1000, 0.0, 1.0, clip=True),
            EnsureTyped("image", track_meta=False),
        ]
    )
    return SeededDataset(records, transform, seed=0)


def loader(dataset: SeededDataset, args: argparse.Namespace, batches: int, workers: int = 0) -> DataLoader[Any]:
    """Make the data loader of training."""
    return DataLoader(
        dataset,
        batch_size=args.batch,
        sampler=EpochSampler(dataset, num_samples=batches * args.batch),
        num_workers=workers,
        pin_memory=args.device == "cuda",
    )


def endless(batches: DataLoader[Any]) -> Iterator[dict[str, Any]]:
    """Start again and again."""
    while True:
        yield from batches


def example(args: argparse.Namespace) -> Batch:
    """Make a batch of noise on the device."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((args.batch, 1, *args.size), generator=generator).to(args.device)
    return {"image": image, "label": (torch.arange(args.batch) % CLASSES).to(args.device)}


def method_of(args: argparse.Namespace, corruption: Corruption) -> SemanticGenesis:
    """Make the network with its head and joint loss on the device, laid out as the bundles lay it out."""
    network = initialised(GenesisUNet(spatial_dims=3, width=args.width))
    head = PatternHead(3, network.encoder_channels[-1], CLASSES)
    return SemanticGenesis(network, head, corruption).to(args.device)


def step(method: SemanticGenesis, batch: Batch, settings: Settings) -> Callable[[], object]:
    """Make a training step, forward, backward and optimiser, of a method that does not corrupt."""
    device = batch["image"].device
    if not settings.channels_last:
        method.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # PyTorch's own omission
    optimiser = torch.optim.Adam(method.parameters(), lr=LEARNING_RATE, fused=settings.fused or None)
    network = torch.compile(method) if settings.compile else method
    params = method.sample(batch, torch.Generator(device), torch.Generator(device))

    def work() -> None:
        torch.set_num_threads(settings.threads)
        torch.use_deterministic_algorithms(settings.deterministic)
        optimiser.zero_grad(set_to_none=True)
        with autocast(device, settings.amp):
            loss = network(batch, params)["loss"]
        loss.backward()
        optimiser.step()

    return work


def reference_step(args: argparse.Namespace, tf32: bool = True) -> Callable[[Batch], object]:
    """Make a training step of the reference network; on a GPU convolutions are in TF32, PyTorch's default, or not."""
    network = ReferenceNetwork(args.width, CLASSES).to(args.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)

    def work(batch: Batch) -> None:
        torch.backends.cudnn.allow_tf32 = tf32
        optimiser.zero_grad()
        restored, logits = network(batch["corrupted"])
        loss = mse_loss(restored, batch["image"]) + 0.01 * cross_entropy(logits, batch["label"])
        loss.backward()
        optimiser.step()
        torch.backends.cudnn.allow_tf32 = True

    return work

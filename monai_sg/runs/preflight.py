"""Look at what a run is about to use, say it, and stop early when it cannot work."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from tqdm.std import tqdm

from ..networks.contract import Network
from ..utils.distributed import rank, world_size
from ..utils.errors import UserError
from ..utils.memory import free_memory
from .footprint import footprint

logger = logging.getLogger(__name__)

GIB = 2**30
STORED = 24  # bytes per parameter: weights, Adam's two moments and the best weights in the state; two files of weights


class Images(Protocol):
    """Images of a run, such as a `VolumeCache`; those skipped with the reason."""

    skipped: Mapping[str, str]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Voxels along each axis, per image."""

    @property
    def spacings(self) -> list[tuple[float, ...]]:
        """Spacing along each axis in mm, per image."""


class Labelled(Images, Protocol):
    """Images with label maps, such as a `PreparedDataset`."""

    @property
    def empty_labels(self) -> list[list[float]]:
        """Values of each label map that has no foreground."""


class Preflight:
    """First element of a bundle's ``run``: prints images, spacings, memory, device and steps, and checks them.

    Args:
        stage: name of the run.
        items: training items of an epoch, of all processes together.
        steps: training steps of an epoch, which all processes make at once.
        validation: validation items, of all processes together.
        images: the images that the items are cut from.
        network: what is trained.
        crop_size: spatial size that goes into the network, in voxels.
        batch_size: crops in a step of one process.
        epochs: number of epochs, 0 when nothing is trained.
        output_dir: where the run writes.
        device: where it runs.
        amp: whether activations take half the memory.
        pads: whether images smaller than ``crop_size`` are padded, not resized.
        labelled: the images for training and those for validation, where they have label maps.
    """

    def __init__(
        self,
        stage: str,
        items: int,
        steps: int,
        validation: int,
        images: Images,
        network: Network,
        crop_size: Sequence[int],
        batch_size: int,
        epochs: int,
        output_dir: str | Path,
        device: torch.device | str,
        amp: bool = False,
        pads: bool = True,
        labelled: Sequence[Labelled] = (),
    ) -> None:
        self.stage = stage
        self.items, self.steps, self.validation = items, steps, validation
        self.images, self.network = images, network
        self.crop_size, self.batch_size, self.epochs = tuple(crop_size), batch_size, epochs
        self.output_dir, self.device, self.amp = Path(output_dir), torch.device(device), amp
        self.pads, self.labelled = pads, labelled

    def __call__(self) -> None:
        """Check and print.

        Raises:
            ValueError: no step to train, no foreground in any label, nothing to validate on, or a crop size the network
                cannot take.
            OSError: the output folder cannot be written.
        """
        self._check_data()
        self.output_dir.mkdir(parents=True, exist_ok=True)
        if rank() == 0:
            for line in self.lines():
                logger.info(line)

    def _check_data(self) -> None:
        if self.validation == 0:
            raise UserError(
                f"{self.stage} has no validation data among the {len(self.images.shapes)} readable images "
                f"({len(self.images.skipped)} were skipped); add patients or change the split in the data list."
            )
        if self.steps == 0:
            raise UserError(
                f"{self.stage} has no training step: {self.items} items in {world_size()} processes do not fill a "
                f"batch of {self.batch_size}; lower batch_size, or keep smaller batches by drop_last of the loader."
            )
        for kind, images in zip(("", "validation "), self.labelled, strict=False):
            self._check_labels(kind, images)
        divisor = self.network.size_divisor
        if any(size % divisor or size < divisor for size in self.crop_size):
            fitting = [max(divisor, round(size / divisor) * divisor) for size in self.crop_size]
            raise UserError(
                f"The size {list(self.crop_size)} cannot go through the network: each size must be a multiple of "
                f"{divisor}, for example {fitting}."
            )

    def _check_labels(self, kind: str, images: Labelled) -> None:
        """Refuse labels of which none has what is to be segmented: nothing could be learnt, or no epoch selected."""
        count = len(images.shapes)
        if 0 < len(images.empty_labels) == count:
            held = sorted({value for values in images.empty_labels for value in values})
            raise UserError(
                f"{self.stage} has no foreground in any of its {count} {kind}labels, which hold the values {held}; "
                "name those to segment in structures and all that may occur in known_labels, or change the split."
            )

    def lines(self) -> list[str]:
        """Return what is printed, a line per fact."""
        shapes, spacings = np.array(self.images.shapes), np.array(self.images.spacings)
        spacing = "unknown" if np.isnan(spacings).any() else f"{_range(spacings)} mm"
        small = int((shapes < self.crop_size).any(axis=1).sum())
        cost = footprint(self.network, (self.batch_size, self.network.in_channels, *self.crop_size), self.amp)
        batch = f"{world_size()} x {self.batch_size}" if world_size() > 1 else self.batch_size
        size = "x".join(map(str, self.crop_size))
        items = f"{self.validation} items of {size}"
        if self.epochs:
            items = f"{self.items} training and {self.validation} validation items of {size}, "
            items += f"{self.steps} steps of {batch} in each of {self.epochs} epochs"
        lines = [
            f"{self.stage}: {len(shapes)} images, {len(self.images.skipped)} skipped; "
            f"spacing {spacing}; shape {_range(shapes)} voxels",
            f"{self.stage}: {items}",
            f"{self.stage}: on {self._device_name()}, mixed precision {'on' if self.amp else 'off'}; network of "
            f"{cost.parameters / 1e6:.1f} M parameters",
        ]
        if self.epochs:
            total = cost.operations * self.steps * self.epochs * world_size()
            lines[-1] += (
                f", about {cost.memory / GIB:.1f} GiB and {tqdm.format_sizeof(cost.operations)}FLOP a step, "
                f"{tqdm.format_sizeof(total)}FLOP in all"
            )
            lines.append(
                f"{self.stage}: writes about {STORED * cost.parameters / GIB:.2f} GiB to {self.output_dir}, where "
                f"{shutil.disk_usage(self.output_dir).free / GIB:.0f} GiB are free"
            )
        if small and self.pads:
            lines.append(f"{self.stage}: {small} images are smaller than the crop along an axis and are padded there")
        free = self._free_memory()
        if self.epochs and free is not None and cost.memory > free:
            lines.append(
                f"{self.stage}: a step needs about {cost.memory / GIB:.1f} GiB and {free / GIB:.1f} GiB are free; "
                "lower batch_size, crop_size or width if it runs out of memory"
            )
        return lines

    def _device_name(self) -> str:
        free = self._free_memory()
        memory = "" if free is None else f", {free / GIB:.0f} GiB free"
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}{memory}"
        return f"{self.device.type} with {torch.get_num_threads()} threads{memory}"

    def _free_memory(self) -> int | None:
        """Return the bytes free on the device; None where the system does not tell."""
        if self.device.type == "cuda":
            return int(torch.cuda.mem_get_info(self.device)[0])
        return free_memory() if self.device.type == "cpu" else None


def _range(values: np.ndarray) -> str:
    """Return least and greatest value per axis, for example ``0.7-1.4 x 0.7-1.4 x 2-5``."""
    pairs = zip(values.min(0), values.max(0), strict=True)
    return " x ".join(f"{low:g}" if low == high else f"{low:.4g}-{high:.4g}" for low, high in pairs)

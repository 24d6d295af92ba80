"""What every corruption of image crops looks like: random parameters first, then a pure function of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..utils.errors import UserError

Params = dict[str, Tensor]
"""Random parameters of a batch; the first axis of every tensor is the batch, so ``value[i : i + 1]`` is one crop."""

VOXELS_AT_ONCE = 2**19
"""What a CPU corrupts at once: crops, parameters and intermediate values of that many voxels fit its cache."""


class Corruption(ABC):
    """A random change of a batch of crops, split into drawing the parameters and applying them.

    `sample` is eager and may look at random values. `apply` is a function of its arguments alone, without branches on
    data, so that it can be compiled, and it never writes into its input.
    """

    @abstractmethod
    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw independent parameters for each crop of a batch.

        Args:
            shape: shape ``(B, C, *spatial)`` of the batch, 2D or 3D.
            generator: source of all random numbers; the parameters live on its device.

        Returns:
            tensors by name, each with B as its first axis.
        """

    @abstractmethod
    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Corrupt a batch.

        Args:
            x: floating point batch ``(B, C, *spatial)`` with intensities in [0, 1].
            params: what `sample` drew for this shape, on any device.

        Returns:
            a batch of the same shape, type and device.
        """

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Draw parameters for ``x`` and apply them."""
        return self.apply(x, self.sample(x.shape, generator))

    def __repr__(self) -> str:
        """Name the class and its settings in the order in which they are set; equal texts mean equal corruptions."""
        settings = (f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({', '.join(settings)})"


def split_shape(shape: Sequence[int]) -> tuple[int, int, tuple[int, ...]]:
    """Split ``(B, C, *spatial)`` into batch, channels and spatial shape.

    Raises:
        ValueError: when the batch is neither 2D nor 3D.
    """
    if len(shape) not in (4, 5):
        raise UserError(f"A corruption needs a batch (B, C, *spatial) in 2D or 3D, got shape {tuple(shape)}.")
    return shape[0], shape[1], tuple(shape[2:])


def check_probability(name: str, value: float) -> float:
    """Give ``value`` back when it is a probability.

    Raises:
        ValueError: when it is outside [0, 1].
    """
    if not 0.0 <= value <= 1.0:
        raise UserError(f"{name} is {value}; a probability in [0, 1] is needed.")
    return value


def bernoulli(shape: Sequence[int] | int, prob: float, generator: torch.Generator) -> Tensor:
    """Draw booleans that are true with probability ``prob``, on the device of the generator."""
    size = (shape,) if isinstance(shape, int) else tuple(shape)
    return torch.rand(size, generator=generator, device=generator.device) < prob


def random_integers(low: Tensor, high: Tensor, generator: torch.Generator) -> Tensor:
    """Draw uniform int64 numbers from ``low`` to ``high``, both included, element by element."""
    uniform = torch.rand(torch.broadcast_shapes(low.shape, high.shape), generator=generator, device=generator.device)
    return low + (uniform * (high - low + 1)).long()


def strides_of(spatial: Sequence[int]) -> tuple[int, ...]:
    """Give the step in a flattened crop for one voxel along each axis."""
    return tuple(math.prod(spatial[axis + 1 :]) for axis in range(len(spatial)))


def apply_in_parts(apply: Callable[[Tensor, Params], Tensor], x: Tensor, params: Params) -> Tensor:
    """Apply to the whole batch, or on a CPU to a few crops at a time.

    Args:
        apply: a corruption's `Corruption.apply`, which treats each crop on its own.
        x: batch ``(B, C, *spatial)``.
        params: parameters of the batch.

    Returns:
        the corrupted batch, the same either way.
    """
    parts = parts_in_cache(len(x), math.prod(x.shape[1:]), x.device)
    if len(parts) == 1:
        return apply(x, params)
    return torch.cat([apply(x[part], {name: value[part] for name, value in params.items()}) for part in parts])


def parts_in_cache(crops: int, voxels: int, device: torch.device) -> list[slice]:
    """Divide a batch into what is worked on at once: everything, or on a CPU crops of `VOXELS_AT_ONCE` together.

    Args:
        crops: number of crops.
        voxels: of each crop.
        device: where the work is done.

    Returns:
        slices of the batch, at least one.
    """
    at_once = crops
    if device.type == "cpu" and not torch.compiler.is_compiling():
        at_once = VOXELS_AT_ONCE // voxels
    at_once = max(1, at_once)
    return [slice(start, start + at_once) for start in range(0, max(1, crops), at_once)]


def gather_voxels(x: Tensor, index: Tensor) -> Tensor:
    """Build crops from their own voxels.

    Args:
        x: batch ``(B, C, *spatial)`` of N voxels per crop and channel.
        index: for each voxel of a crop the voxel it is taken from, in all channels, ``(B, N)``, int32.

    Returns:
        a new batch like ``x``.
    """
    batch, channels, voxels = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    first = torch.arange(0, batch * channels * voxels, voxels, dtype=torch.int32, device=x.device)
    entry = index.to(x.device)[:, None] + first.view(batch, channels, 1)
    return x.flatten().index_select(0, entry.flatten()).view(x.shape)

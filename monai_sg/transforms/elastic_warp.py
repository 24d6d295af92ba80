"""Elastic deformation of the released code of Semantic Genesis: a smooth random displacement within the planes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ..utils.errors import UserError
from .corruption import Corruption, Params, apply_in_parts, bernoulli, check_probability, split_shape

LEAST_SINGULAR_VALUE = 1e-3
"""Of the largest one; below it a mode of the smoothing carries less than a millionth of the variance."""


class ElasticWarp(Corruption):
    r"""Move voxels along the first two axes by smooth random fields, never along the third.

    The released code of Semantic Genesis draws U(-1, 1) noise, as large as the crop, for each of the two axes, smooths
    it with a Gaussian along *all* axes, with zeros outside, and multiplies it by ``alpha``; the paper does not mention
    it. Crops are read by linear interpolation and mirrored at their borders (scipy's "reflect"). In a crop of
    64 x 64 x 32 voxels the displacement has a root mean square of 3.3 voxels and reaches 9 voxels.

    The noise itself is not drawn. A sum of some 20,000 independent numbers is Gaussian, so the smoothed field is one
    with the covariance :math:`\frac{\alpha^2}{3} \bigotimes_k T_k T_k^T`, where :math:`T_k = U_k S_k V_k^T` is the
    smoothing matrix of axis k, and :math:`\frac{\alpha}{\sqrt 3} \bigotimes_k U_k S_k` times standard normal numbers
    has just that covariance. Modes with a singular value below 1e-3 of the largest are left out, which leaves
    11 x 11 x 6 numbers for 64 x 64 x 32 voxels and lacks less than 1e-5 of the variance.

    2D was never released. White noise that is smoothed along one axis less would move pixels 5 times as far; a 2D crop
    is warped like a slice far inside a volume instead, with ``alpha`` times :math:`(2 \sigma \sqrt\pi)^{-1/2}`. There
    800 pixels weigh in, still enough for a Gaussian.

    Args:
        prob: probability that a crop is warped; the others come back bit for bit.
        sigma: standard deviation of the Gaussian, in voxels, cut at 4 standard deviations.
        alpha: factor of the smoothed noise, in voxels.

    Raises:
        ValueError: when ``prob`` is outside [0, 1], or ``sigma`` is not positive.

    Example:
        >>> corruption = ElasticWarp()
        >>> corruption(torch.rand(2, 1, 16, 16, 8), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 16, 16, 8])
    """

    def __init__(self, prob: float = 1.0, sigma: float = 8.0, alpha: float = 991.0) -> None:
        if sigma <= 0:
            raise UserError(f"sigma is {sigma}; a width above 0 voxels is needed.")
        self.prob = check_probability("prob", prob)
        self.sigma = sigma
        self.alpha = alpha

    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw ``warped`` (B,) and ``field`` (B, 2, *ranks), float32: what `expand` makes displacements of."""
        batch, _, spatial = split_shape(shape)
        ranks = [basis.shape[1] for basis in smoothing_bases(spatial, self.sigma)]
        field = torch.randn((batch, 2, *ranks), generator=generator, device=generator.device)
        inside_a_volume = (2 * self.sigma * math.sqrt(math.pi)) ** ((len(spatial) - 3) / 2)
        return {
            "warped": bernoulli(batch, self.prob, generator),
            "field": field.mul_(self.alpha / math.sqrt(3) * inside_a_volume),
        }

    def expand(self, field: Tensor, spatial: Sequence[int]) -> Tensor:
        """Expand a field to all voxels, ordered as `torch.nn.functional.grid_sample` takes the slices of a volume.

        Args:
            field: coefficients of both axes ``(B, 2, *ranks)``.
            spatial: voxels along each axis.

        Returns:
            displacement of each voxel along the *second* and the first axis ``(B, slices, rows, columns, 2)``; a 2D
            crop is one slice.
        """
        first, second, *third = (basis.to(field.device) for basis in smoothing_bases(tuple(spatial), self.sigma))
        lines = field.reshape(*field.shape[:4], -1).flip(1).permute(0, 4, 2, 1, 3) @ second.T
        planes = first @ lines.transpose(3, 4).flatten(3)
        slices = third[0] @ planes.flatten(2) if third else planes
        return slices.view(len(field), -1, *spatial[:2], 2)

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Read each voxel from where the displacement points to; on a CPU a few crops at a time."""
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 knows the places of a grid to 1 in 256
            return apply_in_parts(self._apply_at_once, x, params)

    def _apply_at_once(self, x: Tensor, params: Params) -> Tensor:
        (batch, _, rows, columns), spatial = x.shape[:4], x.shape[2:]
        field = params["field"].to(x.device, torch.float32)
        field = torch.stack([field[:, 0] * (2 / rows), field[:, 1] * (2 / columns)], 1)  # a crop is 2 long in a grid
        upright = torch.eye(2, 3, device=x.device)[None]
        grid = self.expand(field, spatial).add_(affine_grid(upright, [1, 1, rows, columns], align_corners=False))
        slices = x.float().reshape(*x.shape[:4], -1).movedim(4, 1).flatten(0, 1)
        moved = grid_sample(slices, grid.flatten(0, 1), padding_mode="reflection", align_corners=False)
        moved = moved.unflatten(0, (batch, -1)).movedim(1, 4).contiguous().view(x.shape).to(x.dtype)
        return torch.where(params["warped"].to(x.device).view(-1, *[1] * (x.ndim - 1)), moved, x)


@torch.compiler.assume_constant_result
def smoothing_bases(spatial: tuple[int, ...], sigma: float) -> tuple[Tensor, ...]:
    """Give the `smoothing_basis` of each axis, to a compiler as one constant."""
    return tuple(smoothing_basis(size, sigma) for size in spatial)


@functools.lru_cache
def smoothing_basis(size: int, sigma: float) -> Tensor:
    """Factor the Gaussian smoothing of a line of voxels with zeros beyond its ends, as `scipy.ndimage` does it.

    Args:
        size: voxels of the line.
        sigma: standard deviation of the Gaussian, in voxels.

    Returns:
        left singular vectors times their singular values ``(size, rank)``, float32, on the CPU; the product with its
        transpose is the covariance of smoothed white noise.
    """
    smoothing = gaussian_filter1d(np.eye(size), sigma, axis=0, mode="constant", truncate=4.0)
    vectors, values, _ = np.linalg.svd(smoothing)
    kept = values > LEAST_SINGULAR_VALUE * values[0]
    vectors = vectors * np.sign(vectors[:1])  # LAPACK leaves the signs open
    return torch.from_numpy((vectors * values)[:, kept].astype(np.float32))

"""Non-linear intensity transformation of Models Genesis: a random Bezier curve as intensity map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..utils.errors import UserError
from .corruption import Corruption, Params, bernoulli, check_probability, split_shape


class BezierIntensity(Corruption):
    r"""Map intensities by a cubic Bezier curve with random inner control points, increasing or decreasing.

    Zhou et al., Models Genesis, Medical Image Analysis 67 (2021), section 2.2, "non-linear". With control points
    (0, 0), (a, b), (c, d), (1, 1) and a, b, c, d ~ U(0, 1) the curve is

    .. math:: x(t) = 3(1-t)^2 t\,a + 3(1-t)t^2\,c + t^3, \quad y(t) = 3(1-t)^2 t\,b + 3(1-t)t^2\,d + t^3 .

    The increasing map is g(x(t)) = y(t); the inverted one is h(x(t)) = y(1 - t), which is 1 - g for point-symmetric
    curves only. Each is a table over equally spaced intensities, read by linear interpolation; values outside [0, 1]
    get the value of the nearer end. One curve serves all channels of a crop.

    Args:
        prob: probability that a crop is mapped at all; the others come back bit for bit.
        invert_prob: probability that the map of a mapped crop is decreasing.
        points: length of the table.

    Raises:
        ValueError: when a probability is outside [0, 1] or there are fewer than 2 points.

    Example:
        >>> corruption = BezierIntensity()
        >>> corruption(torch.rand(2, 1, 16, 16, 8), torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 16, 16, 8])
    """

    def __init__(self, prob: float = 0.9, invert_prob: float = 0.5, points: int = 1000) -> None:
        if points < 2:
            raise UserError(f"points is {points}; an intensity table needs at least 2.")
        self.prob = check_probability("prob", prob)
        self.invert_prob = check_probability("invert_prob", invert_prob)
        self.points = points

    def sample(self, shape: Sequence[int], generator: torch.Generator) -> Params:
        """Draw ``active`` (B,) and the intensity ``table`` (B, points), float32."""
        batch = split_shape(shape)[0]
        control = torch.rand((batch, 2, 2), generator=generator, device=generator.device)
        inverted = bernoulli(batch, self.invert_prob, generator)
        return {
            "active": bernoulli(batch, self.prob, generator),
            "table": bezier_table(control, inverted, self.points),
        }

    def apply(self, x: Tensor, params: Params) -> Tensor:
        """Read the table of each crop at its intensities."""
        active = params["active"].to(x.device, torch.float32)[:, None]
        table = params["table"].to(x.device, torch.float32) * active
        rise = torch.nn.functional.pad(table.diff(dim=1), (0, 1))
        batch, points = table.shape
        intensity = x.float().flatten(1)
        weight = (intensity * (points - 1)).clamp_(0, points - 1)
        left = weight.detach().int().clamp_(0, points - 1)
        weight.sub_(left)  # in place where possible: on a CPU it is fresh memory that costs
        entry = left.add_(
            torch.arange(0, batch * points, points, dtype=torch.int32, device=x.device)[:, None]
        ).flatten()
        mapped = weight.mul_(rise.flatten().index_select(0, entry).view_as(weight))
        mapped.add_(table.flatten().index_select(0, entry).view_as(weight))
        return mapped.addcmul_(intensity, 1 - active).view_as(x).to(x.dtype)  # exactly x where not active


def bezier_table(control: Tensor, inverted: Tensor, points: int) -> Tensor:
    """Tabulate Bezier intensity maps at equally spaced intensities.

    Args:
        control: inner control points ``(B, 2, 2)`` as ((a, b), (c, d)), in [0, 1].
        inverted: ``(B,)`` booleans, true for the decreasing map.
        points: length of the table.

    Returns:
        values ``(B, points)`` at intensities k / (points - 1); the ends are exactly 0 and 1, or 1 and 0.
    """
    t = torch.linspace(0, 1, points, device=control.device)[:, None]
    first, second = control[:, None, 0], control[:, None, 1]
    curve = 3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t**2 * second + t**3
    curve = curve.cummax(1).values  # both coordinates increase, but for rounding
    x, y = curve[..., 0].contiguous(), curve[..., 1]
    y = torch.where(inverted[:, None], y.flip(1), y)
    grid = t.T.expand_as(x).contiguous()
    right = torch.searchsorted(x, grid, right=True).clamp_(1, points - 1)
    x0, x1 = x.gather(1, right - 1), x.gather(1, right)
    weight = ((grid - x0) / (x1 - x0).clamp_min(torch.finfo(x.dtype).tiny)).clamp_(0, 1)
    table = torch.lerp(y.gather(1, right - 1), y.gather(1, right), weight)
    table[:, 0], table[:, -1] = y[:, 0], y[:, -1]
    return table

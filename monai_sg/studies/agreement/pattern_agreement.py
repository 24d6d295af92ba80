"""How alike the crops of a class are: by intensities, and by the organs that label maps name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PairMeasure:
    """How alike crops of the same class are in two images, in [0, 1] (a correlation in [-1, 1]).

    Attributes:
        pairs: one value per class and ordered pair of images (C, N, N); NaN on the diagonal and where the crops cannot
            be compared.
        chance: what crops of different classes in different images give on average.
    """

    pairs: Tensor
    chance: float

    def of_all(self) -> float:
        """Return the mean over the pairs of all images, then over the classes."""
        return _mean(self.pairs.flatten(1))

    def of_chosen(self, rows: Tensor) -> float:
        """Return the mean over the pairs among some images of each class, ``rows`` (C, K), then over the classes."""
        among = self.pairs.gather(1, rows[:, :, None].expand(-1, -1, self.pairs.shape[2]))
        return _mean(among.gather(2, rows[:, None].expand(-1, rows.shape[1], -1)).flatten(1))

    def of_random(self, references: Tensor, count: int) -> float:
        """Return what `of_chosen` gives on average when ``count - 1`` images are drawn beside each reference (C).

        It is the mean over all draws without replacement, not an estimate from some of them, where all pairs can be
        compared.
        """
        classes, images, _ = self.pairs.shape
        own = torch.nn.functional.one_hot(references, images).bool()
        with_reference = (own[:, :, None] | own[:, None]).flatten(1)
        pairs = self.pairs.flatten(1)
        near = torch.where(with_reference, pairs, torch.nan).nanmean(1)
        others = torch.where(with_reference, torch.nan, pairs).nanmean(1)
        return _mean((near if count <= 2 else (2 * near + (count - 2) * others) / count).reshape(classes, 1))


def intensity_agreement(crops: Tensor) -> dict[str, PairMeasure]:
    """Compare crops by their intensities, without labels.

    ``correlation`` is Pearson's over the voxels of two crops. ``place found`` says whether, of all crops of another
    image, the one of the same class correlates most; crops that share the first place share the point, and chance is
    1 / C. A constant crop has no correlation.

    Args:
        crops: (C, N, *size), the box of each class in each image.
    """
    classes, images = crops.shape[:2]
    rows = crops.flatten(2).flatten(0, 1).double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    norms = rows.norm(dim=1, keepdim=True)
    rows = rows / norms.masked_fill(norms == 0, torch.nan)
    alike = (rows @ rows.T).reshape(classes, images, classes, images)
    return {"correlation": _measure(alike), "place found": PairMeasure(_places_found(alike), 1 / classes)}


def organ_agreement(labels: Tensor, organs: Sequence[int], known: Tensor | None = None) -> dict[str, PairMeasure]:
    """Compare crops of label maps.

    ``organ overlap`` is the share of voxels that hold the same organ in both crops, among those that hold an organ in
    at least one (a Jaccard index). ``organ shares`` does not look at the place: it is the intersection of two
    histograms, the share of each organ among the voxels that hold one. Crops that hold none cannot be compared.

    Args:
        labels: (C, N, *size), whole numbers.
        organs: values that count as organs.
        known: whether there is a label map of each image (N); all if ``None``.
    """
    classes, images = labels.shape[:2]
    rows = labels.flatten(2).flatten(0, 1)
    held = torch.isin(rows, torch.as_tensor(list(organs), dtype=rows.dtype)).float()
    sizes = held.sum(1)
    union = sizes[:, None] + sizes[None] - held @ held.T
    same, shares = torch.zeros_like(union), torch.zeros_like(union)
    for organ in organs:
        own = (rows == organ).float()
        same += own @ own.T
        share = own.sum(1) / sizes.clamp(min=1)
        shares += torch.minimum(share[:, None], share[None])
    usable = union > 0
    if known is not None:
        listed = known.expand(classes, images).flatten()
        usable &= listed[:, None] & listed[None]
    shape = (classes, images, classes, images)
    found = {"organ overlap": same / union.clamp(min=1), "organ shares": shares}
    return {name: _measure(value.masked_fill(~usable, torch.nan).reshape(shape)) for name, value in found.items()}


def organ_content(labels: Tensor, organs: Sequence[int], known: Tensor) -> dict[int, float]:
    """Return the share of the voxels that hold each organ, over all crops (C, N, *size) of images ``known`` (N)."""
    voxels = labels[:, known]
    return {organ: float((voxels == organ).double().mean()) for organ in organs}


def _places_found(alike: Tensor) -> Tensor:
    """Return (C, N, N) from correlations (C, N, C, N): whether, of all of the other image, the same class is first."""
    scores = alike.permute(0, 1, 3, 2).nan_to_num(nan=-torch.inf)
    first = (scores == scores.amax(dim=-1, keepdim=True)).double()
    points = torch.diagonal(first / first.sum(dim=-1, keepdim=True), dim1=0, dim2=3).permute(2, 0, 1)
    constant = alike.isnan().all(dim=3).all(dim=2)
    return _without_diagonal(points.masked_fill(constant[..., None], torch.nan))


def _measure(alike: Tensor) -> PairMeasure:
    """Return the measure from what all crops have in common (C, N, C, N)."""
    classes, images = alike.shape[:2]
    pairs = torch.diagonal(alike, dim1=0, dim2=2).permute(2, 0, 1).double()
    other = ~torch.eye(classes, dtype=torch.bool)[:, None, :, None] & ~torch.eye(images, dtype=torch.bool)[:, None]
    return PairMeasure(_without_diagonal(pairs), float(alike[other.expand_as(alike)].double().nanmean()))


def _without_diagonal(pairs: Tensor) -> Tensor:
    return pairs.masked_fill(torch.eye(pairs.shape[-1], dtype=torch.bool), torch.nan)


def _mean(values: Tensor) -> float:
    """Return the mean over the classes of the mean of what is not NaN in each row (C, M)."""
    return float(values.nanmean(dim=1).nanmean())

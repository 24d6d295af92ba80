"""The films that are most and least like a class, with the places that speak for it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator
from monai.transforms import rescale_array
from monai.visualize import blend_images
from monai.visualize.visualizer import default_upsampler
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..networks.classifier import Classifier
from ..utils.distributed import gathered, rank
from ..utils.errors import UserError
from ..utils.files import write_atomic

SMALLEST = 160
"""Pixels that a film is enlarged to, at least."""


class Film(NamedTuple):
    """A film (1, x, y) as the network sees it, and a probability per class."""

    image: torch.Tensor
    probability: NDArray[np.float32]


class HeatMaps:
    """Draw, per class, the films of the highest and of the lowest probability, each beside its class activation map.

    In ``<class>.png`` the upper row begins with the highest probability, the lower row with the lowest. A map holds, at
    each place, the logit that the head gives to the features there alone; their mean is the logit of the film (Zhou et
    al., CVPR 2016; MONAI's ``CAM`` before it is scaled). Colours, blue to red, span the lowest to the highest logit of
    a film. ResNet-18 has a place per 32 x 32 pixels.

    Args:
        network: what is evaluated.
        folder: where the pictures go.
        classes: names of the classes, in the order of the logits.
        films: how many of either end.

    Raises:
        UserError: the network sees volumes.
    """

    def __init__(self, network: Classifier, folder: str | Path, classes: Iterable[str], films: int = 4) -> None:
        if network.spatial_dims != 2:
            raise UserError(f"Heat maps are drawn of pictures, not of {network.spatial_dims}D images; set heat_maps 0.")
        self.network, self.folder, self.films = network, Path(folder), films
        self.classes = list(classes)
        self._kept: dict[str, Film] = {}

    def attach(self, engine: Evaluator) -> None:
        """Attach to an evaluator whose predictions are probabilities."""
        engine.add_event_handler(Events.STARTED, lambda: self._kept.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def note(self, engine: Engine) -> None:
        """Keep the films of a batch that are at either end so far."""
        records: Any = engine.state.batch
        output: Any = engine.state.output
        for record, case in zip(records, output, strict=True):
            image = torch.as_tensor(record["image"]).as_subclass(torch.Tensor)
            self._kept[record["id"]] = Film(image.float().cpu(), case["pred"].detach().float().cpu().numpy())
        self._kept = self._at_the_ends(self._kept)

    def _at_the_ends(self, films: dict[str, Film]) -> dict[str, Film]:
        order = np.argsort([film.probability for film in films.values()], axis=0)
        names = list(films)
        return {names[index]: films[names[index]] for index in np.unique([*order[: self.films], *order[-self.films :]])}

    def write(self) -> None:
        """Draw what all ranks have kept."""
        kept = self._at_the_ends({name: film for part in gathered(self._kept) for name, film in sorted(part.items())})
        if rank() > 0:
            return
        films = list(kept.values())
        maps = class_maps(self.network, torch.stack([film.image for film in films]))
        for column, label in enumerate(self.classes):
            order = np.argsort([-film.probability[column] for film in films], kind="stable")
            ends = [order[: self.films], order[: -self.films - 1 : -1]]
            texts = [f"{name} {film.probability[column]:.3f}" for name, film in kept.items()]
            rows = [np.hstack([_pair(films[i].image, maps[i, column], texts[i]) for i in end]) for end in ends]
            picture = Image.fromarray(np.vstack(rows))
            write_atomic(self.folder / f"{quote(label, safe=' ')}.png", partial(picture.save, format="PNG"))


def class_maps(network: Classifier, images: torch.Tensor) -> torch.Tensor:
    """Return what speaks for each class at each place of images ``(B, 1, x, y)``, as logits ``(B, classes, x, y)``."""
    device = next(network.parameters()).device
    up = default_upsampler(images.shape[2:])
    with torch.no_grad():
        network.eval()
        deepest = [network.forward_features(image[None].to(device))[-1] for image in images]
        return torch.cat([up(network.head(each.movedim(1, -1)).movedim(-1, 1)).cpu() for each in deepest])


def _pair(image: torch.Tensor, heat: torch.Tensor, text: str) -> NDArray[np.uint8]:
    """Return a film (1, x, y) beside itself under its map (x, y), as (rows, columns, RGB), with a text above."""
    plain, blended = (
        torch.as_tensor(each)
        for each in (rescale_array(image), blend_images(image, heat[None], 0.3, "jet", transparent_background=False))
    )
    both = (torch.cat([plain.expand(3, -1, -1), blended], dim=1).permute(2, 1, 0) * 255).byte().numpy()
    times = -(-SMALLEST // both.shape[0])
    canvas = Image.fromarray(np.pad(both.repeat(times, 0).repeat(times, 1), ((14, 2), (0, 4), (0, 0))))
    ImageDraw.Draw(canvas).text((2, 1), text, fill="white")
    return np.asarray(canvas)

"""How well "the same place" means the same anatomy: frames against each other, similar patients against others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils.files import absolute

if TYPE_CHECKING:
    from ..studies.agreement.tables import AgreementTables

logger = logging.getLogger(__name__)

PHANTOMS = 24


def agreement(
    *,
    data: str | None = None,
    output: str = "agreement",
    labels: str | None = None,
    autoencoder: str | Sequence[str] = (),
    **settings: Any,
) -> str:
    """Measure how alike crops at the same place are, for each frame, and whether similar patients make them more so.

    Places are chosen in a few reference images by the rules of the discovery; each frame carries the same places to the
    other images. Similar patients are those nearest to the reference by the features of an auto-encoder.

    Args:
        data: folder with images; a cohort of phantoms with organ maps is made without it.
        output: folder for the tables, the picture, the data list and the cache.
        labels: folder with label maps of the same names as the images, which need not all have one.
        autoencoder: file or files of weights, with commas between them.
        settings: --frames --places --references --draws --neighbours --patients --crop_size --intensity_range --organs
            --lungs --seed, see `AgreementSettings`.

    Returns:
        tables, and what was written.
    """
    folder = absolute(output)
    if data is None:
        data, labels, settings = _phantoms(folder / "phantom"), f"{folder}/phantom/labels", _organs() | settings
    return _written(_tables(data, labels, folder, _listed(autoencoder), settings), folder)


def _tables(
    given: str, labels: str | None, folder: Path, weights: list[str], settings: dict[str, Any]
) -> AgreementTables:
    """Open the images and compare."""
    from ..data.cache.opening import open_cache
    from ..data.datasets.any_folder import AnyFolder
    from ..data.datasets.opening import open_datalist
    from ..studies.agreement.inputs import comparable_frames, label_maps, network_features
    from ..studies.agreement.settings import AgreementSettings
    from ..studies.agreement.study import PIXELS, AgreementStudy, small_pixels
    from ..studies.agreement.tables import AgreementTables

    data = str(absolute(given))  # ITK changes the working folder while it is loaded
    chosen = AgreementSettings.of({**settings, "frames": _listed(settings.get("frames", ()))})
    datalist = open_datalist(folder / "datalist.json", data, [AnyFolder()])
    cache = open_cache(datalist, data, folder / "cache")
    frames = comparable_frames(cache, datalist, chosen)
    ids = next(iter(frames.values())).ids
    features = {PIXELS: small_pixels(cache, ids, chosen.intensity_range)}
    features |= network_features(weights, data, folder, cache, ids)
    maps = {} if labels is None else label_maps(datalist, absolute(labels), ids)
    count = chosen.neighbours_of(len(ids))
    return AgreementTables.of(AgreementStudy(cache, frames, chosen, count, features, maps))


def _written(tables: AgreementTables, folder: Path) -> str:
    """Write the tables and the picture, and return what is to be read."""
    from ..reports.agreement import agreement_chart

    lines = [*tables.lines(), "", *(f"table    {path}" for path in tables.write(folder))]
    if tables.rows:
        title = f"Crops at the same place: {tables.title}"
        picture = agreement_chart(folder / "agreement.png", tables.bars(), tables.chance(), title)
        lines.append(f"picture  {picture}")
    return "\n".join(lines)


def _listed(given: str | Sequence[str]) -> list[str]:
    """Return what a command line gave as one text, with or without commas, or as a list."""
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else list(given)


def _organs() -> dict[str, list[int]]:
    """Return the values of organs and lungs in the label maps of phantoms."""
    from ..data.phantom.patient import ORGANS

    others = ("background", "fat", "soft_tissue")
    return {
        "organs": [ORGANS[name] for name in ORGANS if name not in others],
        "lungs": [ORGANS["lung_right"], ORGANS["lung_left"]],
    }


def _phantoms(folder: Path) -> str:
    from ..studies.agreement.varied_phantoms import write_varied_phantoms

    if len([*folder.glob("labels/*.nii.gz")]) < PHANTOMS:
        logger.info(f"Writing a phantom cohort of {PHANTOMS} patients to {folder}.")
        write_varied_phantoms(folder, PHANTOMS)
    return str(folder)

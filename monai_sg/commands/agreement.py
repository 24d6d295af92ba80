"""How well "the same place" means the same anatomy: frames against each other, similar patients against others."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from ..data.cache import VolumeCache, open_cache
from ..data.formats import SUFFIXES, suffix_of
from ..data.pairs import pair_by_name
from ..data.phantom.patient import ORGANS
from ..data.records import Datalist
from ..data.scan import open_datalist, walk_files
from ..discovery.embed import embed
from ..discovery.frames import FRAMES, Frames, choose_frame, make_frames
from ..discovery.references import neighbour_count
from ..studies.agreement_settings import AgreementSettings
from ..studies.agreement_study import PIXELS, AgreementStudy, small_pixels
from ..studies.varied_phantoms import write_varied_phantoms
from ..utils.seeds import generator_for
from .agreement_tables import AgreementTables
from .encoder import encoder_workflow

logger = logging.getLogger(__name__)

PHANTOMS = 24
PHANTOM_LABELS = {
    "organs": [ORGANS[name] for name in ORGANS if name not in ("background", "fat", "soft_tissue")],
    "lungs": [ORGANS["lung_right"], ORGANS["lung_left"]],
}
MOST_NEIGHBOURS = 200
UNTRAINED = "untrained"


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
    folder = Path(output).resolve()
    if data is None:
        data, labels, settings = _phantoms(folder / "phantom"), f"{folder}/phantom/labels", PHANTOM_LABELS | settings
    data = str(Path(data).resolve())  # ITK changes the working folder while it is loaded
    chosen = AgreementSettings.of({**settings, "frames": _listed(settings.get("frames", ()))})
    datalist = open_datalist(folder / "datalist.json", data)
    cache = open_cache(datalist, data, folder / "cache")
    frames = _frames(cache, _one_per_patient(datalist, cache), chosen)
    ids = next(iter(frames.values())).ids
    features = {PIXELS: small_pixels(cache, ids, chosen.intensity_range)}
    features |= _network_features(_listed(autoencoder), data, folder, cache, ids)
    most = min(chosen.neighbours or MOST_NEIGHBOURS, len(ids))
    count = most if chosen.neighbours else neighbour_count(len(ids), most)
    maps = {} if labels is None else _labels(datalist, Path(labels), ids)
    return AgreementTables.of(AgreementStudy(cache, frames, chosen, count, features, maps)).written(folder)


def _listed(given: str | Sequence[str]) -> list[str]:
    """Return what a command line gave as one text, with or without commas, or as a list."""
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else list(given)


def _phantoms(folder: Path) -> str:
    if len([*folder.glob("labels/*.nii.gz")]) < PHANTOMS:
        logger.info(f"Writing a phantom cohort of {PHANTOMS} patients to {folder}.")
        write_varied_phantoms(folder, PHANTOMS)
    return str(folder)


def _one_per_patient(datalist: Datalist, cache: VolumeCache) -> list[str]:
    """Return the first image of each patient that can be read, in the order of the list."""
    readable = set(cache.ids)
    first: dict[str, str] = {}
    for record in datalist.records:
        if record["id"] in readable:
            first.setdefault(record["patient"], record["id"])
    return list(first.values())


def _frames(cache: VolumeCache, ids: Sequence[str], settings: AgreementSettings) -> dict[str, Frames]:
    """Return the wanted frames of up to as many images as wanted, all of which have every frame."""
    wanted = list(settings.frames)
    if not wanted:
        wanted = [frame for frame in FRAMES if frame != "lung" or choose_frame(cache, ids) == "lung"]
    size = settings.crop_size
    for frame in wanted:
        ids = make_frames(cache, ids, frame, size).ids
    if not ids:
        raise ValueError(f"No image has a box for each of the frames {wanted}; give others with --frames.")
    generator = generator_for(settings.seed, "patients")
    kept = sorted(torch.randperm(len(ids), generator=generator)[: settings.patients].tolist())
    return {frame: make_frames(cache, [ids[row] for row in kept], frame, size) for frame in wanted}


def _network_features(
    files: Sequence[str], data: str, folder: Path, cache: VolumeCache, ids: Sequence[str]
) -> dict[str, Tensor]:
    """Return the features that the discovery would use, by the name of each file, and of the first without weights."""
    paths = [Path(file).resolve() for file in files]
    names = names_of(paths)
    features: dict[str, Tensor] = {}
    for name, path in [*zip(names, paths, strict=True), *((UNTRAINED, path) for path in paths[:1])]:
        random = {"network::path": None} if name == UNTRAINED else {}
        places = {"datalist": str(folder / "datalist.json"), "cache_dir": str(folder / "cache"), "spacing": None}
        get = encoder_workflow(str(path), data, str(folder), {**places, **random}).parser.get_parsed_content
        found = embed(
            get("network"), cache, ids, get("overview_size"), get("intensity_range"), get("batch_size"), get("device")
        )
        features[name] = found.select(ids)
    return features


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return a name for each file of weights: the first folder in which their paths differ."""
    if len(paths) < 2:
        return ["auto-encoder"] * len(paths)
    top = os.path.commonpath(paths)
    return [Path(path.relative_to(top).parts[0]).stem for path in paths]


def _labels(datalist: Datalist, folder: Path, ids: Sequence[str]) -> dict[str, Path]:
    """Return the label map of each image that has one of the same name."""
    if not folder.is_dir():
        raise FileNotFoundError(f"labels {folder} is not a folder; set it to the folder that holds the label maps.")
    files = [path for path in walk_files(folder) if suffix_of(path) in SUFFIXES]
    id_of = {PurePosixPath(record["image"]): record["id"] for record in datalist.records if record["id"] in set(ids)}
    pairs, _ = pair_by_name([*id_of], [PurePosixPath(path.relative_to(folder)) for path in files], ".", ".")
    if not pairs:
        raise ValueError(f"None of {len(files)} label maps in {folder} has the name of one of the {len(ids)} images.")
    logger.info(f"{len(pairs)} of {len(ids)} images have a label map in {folder}.")
    return {id_of[pair.image]: folder / pair.label for pair in pairs}

"""What an `AgreementStudy` compares: images with all frames, features of networks, label maps."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from ...data.cache.volume_cache import VolumeCache
from ...data.datasets.pairs import pair_by_name
from ...data.datasets.walking import walk_files
from ...data.readers.formats import SUFFIXES, suffix_of
from ...data.records import Datalist
from ...discovery.embed import embed
from ...discovery.frames import FRAMES, Frames, choose_frame, make_frames
from ...runs.encoder_workflow import encoder_workflow
from ...utils.errors import AbsentError, UserError
from ...utils.seeds import generator_for
from .settings import AgreementSettings

logger = logging.getLogger(__name__)

UNTRAINED = "untrained"


def _one_per_patient(datalist: Datalist, cache: VolumeCache) -> list[str]:
    """Return the first image of each patient that can be read, in the order of the list."""
    readable = set(cache.ids)
    first: dict[str, str] = {}
    for record in datalist.records:
        if record["id"] in readable:
            first.setdefault(record["patient"], record["id"])
    return list(first.values())


def comparable_frames(cache: VolumeCache, datalist: Datalist, settings: AgreementSettings) -> dict[str, Frames]:
    """Return the wanted frames of one image of each of up to as many patients as wanted, all of which have every frame.

    Args:
        cache: the images.
        datalist: the images with their patients.
        settings: ``frames``, ``patients``, ``crop_size`` and ``seed`` are looked at.

    Raises:
        ValueError: no image has every frame.
    """
    ids = _one_per_patient(datalist, cache)
    wanted = list(settings.frames)
    if not wanted:
        wanted = [frame for frame in FRAMES if frame != "lung" or choose_frame(cache, ids) == "lung"]
    size = settings.crop_size
    for frame in wanted:
        ids = make_frames(cache, ids, frame, size).ids
    if not ids:
        raise UserError(f"No image has a box for each of the frames {wanted}; give others with --frames.")
    generator = generator_for(settings.seed, "patients")
    kept = sorted(torch.randperm(len(ids), generator=generator)[: settings.patients].tolist())
    return {frame: make_frames(cache, [ids[row] for row in kept], frame, size) for frame in wanted}


def network_features(
    files: Sequence[str], data: str, folder: Path, cache: VolumeCache, ids: Sequence[str]
) -> dict[str, Tensor]:
    """Return the features that the discovery would use, by the name of each file, and of the first without weights.

    Args:
        files: weights of auto-encoders.
        data: folder with the images.
        folder: holds their data list and cache.
        cache: the images.
        ids: N images.

    Returns:
        name -> (N, D); see `names_of`.
    """
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


def label_maps(datalist: Datalist, folder: Path, ids: Sequence[str]) -> dict[str, Path]:
    """Return the label map of each of some images that has one of the same name.

    Args:
        datalist: the images.
        folder: is searched with all its sub-folders.
        ids: the images that matter.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: no label map has the name of an image.
    """
    if not folder.is_dir():
        raise AbsentError(f"labels {folder} is not a folder; set it to the folder that holds the label maps.")
    files = [path for path in walk_files(folder) if suffix_of(path) in SUFFIXES]
    wanted = set(ids)
    id_of = {PurePosixPath(record["image"]): record["id"] for record in datalist.records if record["id"] in wanted}
    pairs, _ = pair_by_name([*id_of], [PurePosixPath(path.relative_to(folder)) for path in files], ".", ".")
    if not pairs:
        raise UserError(f"None of {len(files)} label maps in {folder} has the name of one of the {len(ids)} images.")
    logger.info(f"{len(pairs)} of {len(ids)} images have a label map in {folder}.")
    return {id_of[pair.image]: folder / pair.label for pair in pairs}

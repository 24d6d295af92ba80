"""Chest films projected from the CT phantom, with findings, written as the NIH ships ChestX-ray14."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ...utils.files import write_atomic, write_csv
from ...utils.seeds import seed_for
from .body import Phantom, make_phantom
from .patient import ORGANS

SHARE = 0.35
"""Probability of each finding on a film."""

TEST_SHARE = 0.25
FLUID, AIR, TISSUE = 10, -1000, 40

Volume = NDArray[np.float32]
Paint = Callable[[Volume, NDArray[np.bool_], Phantom, np.random.Generator], None]


def write_film_cohort(
    folder: str | Path,
    patients: int = 24,
    seed: int = 0,
    *,
    films: int = 2,
    size: int = 64,
    shape: Sequence[int] = (64, 48, 48),
) -> Path:
    """Write films of phantom patients, made from nothing but the seed, with the findings of `FINDINGS`.

    ``images_001/images/<patient>_<follow-up>.png`` are 8-bit films, patient's right on the left;
    ``Data_Entry_2017_v2020.csv``, ``train_val_list.txt`` and ``test_list.txt`` (the last quarter of the patients) are
    those of ChestX-ray14. The same arguments write the same bytes; a patient takes about 0.2 s.

    Args:
        folder: where the cohort is written; files of the same name are replaced.
        patients: number of patients.
        seed: number of the cohort.
        films: films of each patient, the same anatomy with findings of their own.
        size: pixels along both axes.
        shape: voxels of the projected phantom, see `write_ct_cohort`.

    Returns:
        ``folder``.
    """
    folder = Path(folder)
    rows = []
    for number in range(patients):
        phantom = make_phantom(seed, number, shape)
        for follow_up in range(films):
            draw = np.random.default_rng(seed_for("film phantom", seed, number, follow_up))
            picture, findings = make_film(phantom, draw, size)
            rows.append(_row(findings, follow_up, number, phantom))
            path = folder / "images_001/images" / rows[-1]["Image Index"]
            write_atomic(path, partial(Image.fromarray(picture).save, format="PNG"))
    _write_tables(folder, rows, max(1, round(patients * TEST_SHARE)) * films)
    return folder


def make_film(phantom: Phantom, draw: np.random.Generator, size: int = 64) -> tuple[NDArray[np.uint8], list[str]]:
    """Paint findings into a phantom and project it from back to front.

    Args:
        phantom: the patient; stays as it is.
        draw: which findings there are, and where.
        size: pixels along both axes.

    Returns:
        ``(size, size)``, bright where much was passed through, rows from top to bottom and columns from the patient's
        right to the left; and the names of the findings.
    """
    hu = phantom.hu.astype(np.float32)
    lungs = np.isin(phantom.labels, [ORGANS["lung_right"], ORGANS["lung_left"], ORGANS["lung_nodule"]])
    hu[phantom.labels == ORGANS["lung_nodule"]] = np.median(hu[lungs])  # a film has the findings it is labelled with
    there = [name for name, drawn in zip(FINDINGS, draw.random(len(FINDINGS)), strict=True) if drawn < SHARE]
    for name in there:
        FINDINGS[name](hu, lungs, phantom, draw)
    attenuation = np.where(phantom.labels > 0, np.maximum(hu, -1000) / 1000 + 1, 0)
    depth = attenuation.sum(axis=1)[::-1, ::-1].T
    film = 1 - np.exp(-depth / (0.6 * np.percentile(depth, 95)))
    film = ndimage.zoom(film, np.divide(size, film.shape), order=1, grid_mode=True, mode="nearest")
    low, high = np.percentile(film, (1, 99.5))
    film = (film - low) / (high - low) * draw.uniform(0.85, 1.0) + draw.normal(0, 0.01, film.shape)
    return np.clip(np.rint(255 * film), 0, 255).astype(np.uint8), there


def _write_tables(folder: Path, rows: Sequence[dict[str, str]], tested: int) -> None:
    """Write the table and the lists; the last films are those of the test."""
    write_csv(folder / "Data_Entry_2017_v2020.csv", rows)
    names = [row["Image Index"] for row in rows]
    for file, listed in (("train_val_list.txt", names[:-tested]), ("test_list.txt", names[-tested:])):
        write_atomic(folder / file, partial(_write_lines, listed))


def _write_lines(lines: Sequence[str], file: IO[bytes]) -> None:
    file.write(("\n".join(lines) + "\n").encode())


def _row(findings: Sequence[str], follow_up: int, number: int, phantom: Phantom) -> dict[str, str]:
    return {
        "Image Index": f"{number + 1:08d}_{follow_up:03d}.png",
        "Finding Labels": "|".join(findings) or "No Finding",
        "Follow-up #": str(follow_up),
        "Patient ID": str(number + 1),
        "Patient Age": str(30 + 7 * number % 50 + follow_up),
        "Patient Gender": "F" if phantom.patient.breast > 0 else "M",
        "View Position": "PA",
    }


def _side(lungs: NDArray[np.bool_], draw: np.random.Generator) -> NDArray[np.bool_]:
    """Return one lung: the part on one side of the middle of both."""
    x = np.arange(lungs.shape[0])[:, None, None]
    middle = np.average(np.arange(lungs.shape[0]), weights=lungs.sum(axis=(1, 2)))
    return lungs & (x > middle if draw.random() < 0.5 else x < middle)


def _height(lung: NDArray[np.bool_], share: float) -> float:
    """Return the slice below which a share of the lung lies."""
    below = np.cumsum(lung.sum(axis=(0, 1)))
    return float(np.searchsorted(below, share * below[-1]))


def _effusion(hu: Volume, lungs: NDArray[np.bool_], phantom: Phantom, draw: np.random.Generator) -> None:
    lung = _side(lungs, draw)
    hu[lung & (np.arange(lungs.shape[2]) <= _height(lung, draw.uniform(0.25, 0.5)))] = FLUID


def _pneumothorax(hu: Volume, lungs: NDArray[np.bool_], phantom: Phantom, draw: np.random.Generator) -> None:
    lung = _side(lungs, draw)
    hu[lung & (np.arange(lungs.shape[2]) >= _height(lung, draw.uniform(0.4, 0.6)))] = AIR


def _ball(
    hu: Volume, lungs: NDArray[np.bool_], phantom: Phantom, draw: np.random.Generator, radius: float, value: float
) -> None:
    """Fill a ball of a radius in mm, centred deep in the lungs, as far as lung reaches."""
    spacing = np.diag(phantom.affine)[:3]
    depth = ndimage.distance_transform_edt(lungs, sampling=spacing)
    deep = np.argwhere(depth >= 0.6 * depth.max())
    centre = deep[draw.integers(len(deep))]
    grids = np.ogrid[tuple(slice(length) for length in lungs.shape)]
    distance = sum(((g - c) * s) ** 2 for g, c, s in zip(grids, centre, spacing, strict=True))
    hu[lungs & (distance <= radius**2)] = value


def _mass(hu: Volume, lungs: NDArray[np.bool_], phantom: Phantom, draw: np.random.Generator) -> None:
    _ball(hu, lungs, phantom, draw, draw.uniform(22, 32), TISSUE)


def _consolidation(hu: Volume, lungs: NDArray[np.bool_], phantom: Phantom, draw: np.random.Generator) -> None:
    _ball(hu, lungs, phantom, draw, draw.uniform(45, 65), -250)


def _cardiomegaly(hu: Volume, lungs: NDArray[np.bool_], phantom: Phantom, draw: np.random.Generator) -> None:
    heart = phantom.labels == ORGANS["heart"]
    distance = ndimage.distance_transform_edt(~heart, sampling=np.diag(phantom.affine)[:3])
    hu[lungs & (distance <= draw.uniform(14, 22))] = TISSUE


FINDINGS: dict[str, Paint] = {
    "Cardiomegaly": _cardiomegaly,
    "Effusion": _effusion,
    "Mass": _mass,
    "Pneumothorax": _pneumothorax,
    "Consolidation": _consolidation,
}

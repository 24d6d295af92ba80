"""Any folder of images: what can be used, what was left out and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from ...utils.errors import AbsentError, UserError
from ..readers.formats import PICTURES, SPACING_FILE, SUFFIXES, suffix_of
from ..readers.stacks import is_pattern
from ..records import SPLITS, Datalist, Record
from ..splits import FRACTIONS, split_by_patient
from .copies import copies_among
from .inspection import Found, inspect_files, without_spacing
from .naming import unique_ids, words_of
from .patients import patients_of
from .walking import Skipped, files_below

logger = logging.getLogger(__name__)

EMISSION = {"PT", "NM", "ST"}
MAX_ODD = 10
EMISSION_WORDS = {"pet", "suv", "suvbw", "spect"}


class AnyFolder:
    """Any folder of images, without labels: whatever in it can be read.

    Args:
        spatial_dims: see `scan_folder`.
        unoriented: ``accept_unoriented`` of `scan_folder`.
    """

    name = "folder of images"
    layout = "images of any known format, in any sub-folders"

    def __init__(self, spatial_dims: int | None = None, unoriented: bool = False) -> None:
        self.spatial_dims = spatial_dims
        self.unoriented = unoriented

    def matches(self, folder: Path) -> bool:
        """Return whether there is a folder."""
        return folder.is_dir()

    def read(self, folder: Path, seed: int = 0, patient_pattern: str | None = None) -> Datalist:
        """Scan the folder, see `scan_folder`."""
        dims, accept = self.spatial_dims, self.unoriented
        return scan_folder(folder, seed, patient_pattern, spatial_dims=dims, accept_unoriented=accept)


def scan_folder(
    dataset_dir: str | Path,
    seed: int = 0,
    patient_pattern: str | None = None,
    fractions: Sequence[float] | None = FRACTIONS,
    progress: bool = True,
    spatial_dims: int | None = None,
    accept_unoriented: bool = False,
) -> Datalist:
    r"""Find all images in a folder and its subfolders (links are followed) and split them by patient.

    Headers are read, voxels are not. Volumes: NIfTI, MHD, MHA, NRRD, npy, TIFF of several pages, DICOM series, and
    folders of numbered PNG or TIFF slices (`find_stacks`; only if ``spatial_dims`` is 3 or ``spacing.txt`` lies in the
    folder); pictures: PNG, JPEG, TIFF, DICOM films. A patient is what ``patient_pattern`` finds, else the PatientID.

    Args:
        dataset_dir: the folder.
        seed: of the split.
        patient_pattern: finds the patient in an image's relative path (that of a stack ends in its pattern,
            ``exam/p1_*.png``), with the name in its first group, for example ``r"(LIDC-IDRI-\d+)"``.
        fractions: shares of patients for training, validation and test; ``None`` makes all of them test images.
        progress: show a bar.
        spatial_dims: 2 or 3 to use only such images; ``None`` takes volumes, or pictures where there is no volume.
        accept_unoriented: use images whose header has no orientation, axes as stored.

    Returns:
        the list, images sorted by path, with the reason for each file that was left out.

    Raises:
        AbsentError, UserError: the folder does not exist, or holds no image that can be used.
    """
    folder = place(dataset_dir)
    found, skipped = find_images(folder, spatial_dims, progress, accept_unoriented, copies=fractions is None)
    datalist = datalist_of(folder, found, skipped, seed, patient_pattern, fractions)
    _log_found(folder, datalist, fractions is not None)
    return datalist


def place(dataset_dir: str | Path) -> Path:
    """Return a folder as an absolute path, ``~`` expanded; ITK changes the working folder while it is loaded."""
    return Path(dataset_dir).expanduser().absolute()


def datalist_of(
    folder: Path,
    found: list[Found],
    skipped: Skipped,
    seed: int = 0,
    patient_pattern: str | None = None,
    fractions: Sequence[float] | None = FRACTIONS,
) -> Datalist:
    """Return the data list of images that were found, split by patient; see `scan_folder`."""
    records = _records(found, folder.resolve().name, patient_pattern, warn=fractions is not None)
    splits = {"test": records} if fractions is None else split_by_patient(records, fractions, seed)
    return Datalist(splits.get("training", []), splits.get("validation", []), splits["test"], skipped)


def _log_found(folder: Path, datalist: Datalist, split: bool) -> None:
    numbers = ", ".join(f"{len(getattr(datalist, name))} {name}" for name in SPLITS)
    first = "".join(f", such as {item['path']}, which {item['reason']}" for item in datalist.skipped[:1])
    logger.info(
        f"{folder}: {len(datalist.records)} images{f' ({numbers})' if split else ''}, {len(datalist.skipped)} files or "
        f"series left out{first}."
    )


def find_images(
    dataset_dir: Path,
    spatial_dims: int | None = None,
    progress: bool = True,
    accept_unoriented: bool = False,
    copies: bool = False,
) -> tuple[list[Found], Skipped]:
    """Return the usable images, identical copies only if they are wanted, and what was left out; see `scan_folder`.

    Raises:
        AbsentError, UserError: the folder does not exist, or holds no image that can be used.
    """
    if not dataset_dir.is_dir():
        raise AbsentError(f"dataset_dir {dataset_dir} is not a folder; set it to the folder that holds the images.")
    paths, others = files_below(dataset_dir)
    if not paths:
        raise UserError(f"dataset_dir {dataset_dir} is empty; set it to the folder that holds the images.")
    found, skipped = inspect_files(dataset_dir, paths, spatial_dims == 3, progress, accept_unoriented)
    found, of_other_kind = _of_one_kind(found, spatial_dims)
    found, emission = _without_emission(found)
    again = [] if copies else copies_among(dataset_dir, [item.path for item in found])
    copied = {item["path"] for item in again}
    found = [item for item in found if str(item.path) not in copied]
    skipped = sorted([*skipped, *others, *of_other_kind, *emission, *again], key=lambda item: item["path"])
    if not found:
        reasons = "; ".join(f"{item['path']} {item['reason']}" for item in skipped[:3])
        pictures = sum(suffix_of(path) in PICTURES for path in paths)
        raise UserError(
            f"None of the {len(paths)} files in {dataset_dir} can be used as {_wanted(spatial_dims, pictures)} "
            f"{reasons or 'No file has a known format'}. Known formats: {', '.join(SUFFIXES)} and DICOM."
        )
    for item in [item for item in found if item.oddity][:MAX_ODD]:
        logger.warning(f"{item.path}: {item.oddity}.")
    if bare := without_spacing(dataset_dir, found):
        logger.warning(
            f"No spacing is known for {len(bare)} of {len(found)} volumes, such as {bare[0].path}: 1 mm is taken. "
            f"Write it in mm along the three axes, such as '0.7 0.7 2.5', to {SPACING_FILE} in their folder."
        )
    return found, skipped


def _wanted(spatial_dims: int | None, pictures: int) -> str:
    """Return what files were looked at for, and of pictures looked at as volumes that they may be none."""
    if spatial_dims == 3 and pictures:
        return (
            f"a 3D image, but {pictures} of them are pictures: weights for 3D images (spatial_dims 3) do not fit "
            "pictures, unless these are the slices of volumes."
        )
    return f"a {spatial_dims}D image." if spatial_dims else "an image."


def _of_one_kind(found: list[Found], spatial_dims: int | None) -> tuple[list[Found], Skipped]:
    """Keep images of one number of axes: the wanted one, else volumes where there are any."""
    if not found:
        return [], []
    wanted = spatial_dims or max(item.num_axes for item in found)
    reason = f"is a {5 - wanted}D image; {wanted}D images are used here"
    others = [{"path": str(item.path), "reason": reason} for item in found if item.num_axes != wanted]
    return [item for item in found if item.num_axes == wanted], others


def _without_emission(found: list[Found]) -> tuple[list[Found], Skipped]:
    """Leave out PET and SPECT, by what DICOM or their names say, where they lie among other volumes."""
    emission = {(item.path, item.series) for item in found if item.num_axes == 3 and _is_emission(item)}
    if len(emission) == len(found):
        return found, []
    skipped = [
        {
            "path": str(item.path),
            "reason": f"is {item.modality or 'PET or SPECT by its name'}, which has other values than CT or MRI; put "
            "such images into a folder of their own to train on them",
        }
        for item in found
        if (item.path, item.series) in emission
    ]
    return [item for item in found if (item.path, item.series) not in emission], skipped


def _is_emission(item: Found) -> bool:
    words = {word.lower() for word in words_of(item.stem)}
    return item.modality in EMISSION if item.modality else bool(words & EMISSION_WORDS) and "ct" not in words


def _records(found: list[Found], folder_name: str, patient_pattern: str | None, warn: bool) -> list[Record]:
    """Return the images with id and patient."""
    ids = unique_ids([item.path for item in found], [item.stem or folder_name for item in found])
    paths = [str(item.path / item.series if is_pattern(item.series) else item.path) for item in found]
    patients = patients_of(paths, ids, patient_pattern, [item.patient for item in found], warn)
    return [
        {
            "image": str(item.path),
            "id": name,
            "patient": patient,
            **({"series": item.series} if item.series else {}),
            **({"unoriented": True} if item.unoriented else {}),
        }
        for item, name, patient in zip(found, ids, patients, strict=True)
    ]

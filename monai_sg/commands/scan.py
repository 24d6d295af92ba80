"""What is in a folder of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from ..data.datasets.inspection import Found
    from ..data.records import Datalist
    from ..reports.scan_page import Shown
    from ..reports.scan_table import Seen

THREADS = 2


def scan(
    *,
    data: str,
    output: str | None = None,
    page: str | None = None,
    thumbnails: int = 100,
    seed: int = 0,
    patient_pattern: str | None = None,
    spatial_dims: int | None = None,
    accept_unoriented: bool = False,
) -> str:
    """Look at a folder of images: a table, what is left out and why, what looks odd, and a page with pictures.

    Args:
        data: folder with the images, searched with all its sub-folders.
        output: JSON file to write the data list to.
        page: HTML file to write; by default scan.html beside output, or here.
        thumbnails: images that are read, spread over the folder, for values and pictures; 0 reads headers only.
        seed: of the split by patient.
        patient_pattern: regular expression whose first group is the patient in an image's path.
        spatial_dims: 2 for pictures, 3 for volumes, also stacks of pictures; by default volumes where there are any.
        accept_unoriented: use images whose header has no orientation, with their axes as they are stored.

    Returns:
        a summary.
    """
    from pathlib import Path

    from ..data.datasets.any_folder import datalist_of, find_images, place

    folder = place(data)
    found, skipped = find_images(folder, spatial_dims, accept_unoriented=accept_unoriented)
    datalist = datalist_of(folder, found, skipped, seed, patient_pattern)
    beside = Path()
    if output is not None:
        beside = datalist.save(Path(output).expanduser()).parent
    target = Path(page).expanduser() if page is not None else beside / "scan.html"
    lines = _report(folder, datalist, found, thumbnails, target)
    return "\n".join([*lines, f"The data list is in {output}."] if output is not None else lines)


def _report(folder: Path, datalist: Datalist, found: list[Found], number: int, page: Path) -> list[str]:
    """Read images, write the page and return what is printed."""
    from ..reports.scan_page import write_page
    from ..reports.scan_table import format_rows, left_out_lines, oddities, text_table

    seen, pictures = _read(folder, found, number)
    rows, left_out, odd = format_rows(found, seen), left_out_lines(datalist.skipped), oddities(found, seen)
    patients = len({record["patient"] for record in datalist.records})
    summary = (
        f"{len(datalist.records)} images of {patients} patients: {len(datalist.training)} training, "
        f"{len(datalist.validation)} validation, {len(datalist.test)} test"
    )
    shown = [_shown(found[place], pictures[place], odd.get(place, [])) for place in sorted(pictures)]
    write_page(page, str(folder), [summary], rows, left_out, shown, len(found) - len(shown))
    return [
        *(
            summary,
            "",
            *text_table(rows),
            "",
            *(f"skipped {line}" for line in left_out),
            f"{len(datalist.skipped)} files or series skipped",
        ),
        *(f"odd {found[place].path}: {'; '.join(notes)}" for place, notes in odd.items()),
        f"Pictures of {len(shown)} images are in {page}.",
    ]


def _read(folder: Path, found: list[Found], number: int) -> tuple[dict[int, Seen], dict[int, list[np.ndarray]]]:
    """Read images spread over the folder; return what their values are and their pictures, by place."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from ..data.intensity import foreground_quantiles
    from ..data.readers.formats import UnusableImageError
    from ..data.readers.volumes import read_volume
    from ..reports.scan_page import thumbnails
    from ..reports.scan_table import Seen
    from ..utils.progress import Bar

    places = np.unique(np.linspace(0, len(found) - 1, min(number, len(found))).astype(int)).tolist() if number else []

    def one(place: int) -> tuple[Seen, list[np.ndarray]]:
        item = found[place]
        try:
            volume = read_volume(folder / item.path, item.series or None, unoriented=bool(item.unoriented))
        except UnusableImageError as error:
            return Seen(reason=str(error)), []
        values = foreground_quantiles(volume.array)
        pictures = thumbnails(volume.array, volume.spacing, (values[0], values[-1]))
        return Seen([value * volume.scale + volume.offset for value in values]), pictures

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(Bar(pool.map(one, places), "Reading", len(places)))
    return (
        {place: seen for place, (seen, _) in zip(places, results, strict=True)},
        {place: pictures for place, (_, pictures) in zip(places, results, strict=True)},
    )


def _shown(item: Found, pictures: list[np.ndarray], notes: list[str]) -> Shown:
    """Return an image of the page."""
    from ..reports.scan_page import Shown

    size = " x ".join(map(str, item.header.shape))
    spacing = " x ".join(f"{length:.4g}" for length in item.header.spacing)
    kind = f"{item.kind} ({item.modality})" if item.modality else item.kind
    return Shown(item.stem, f"{kind}, {size} of {spacing} mm", pictures, notes)

"""What is in a folder of images."""

from __future__ import annotations


def scan(
    *,
    data: str,
    output: str | None = None,
    seed: int = 0,
    patient_pattern: str | None = None,
    spatial_dims: int | None = None,
) -> str:
    """List the images of a folder by split, and the files left out with the reason.

    Args:
        data: folder with the images, searched with all its sub-folders.
        output: JSON file to write the data list to.
        seed: of the split by patient.
        patient_pattern: regular expression whose first group is the patient in an image's path.
        spatial_dims: 2 for pictures, 3 for volumes, also stacks of pictures; by default volumes where there are any.

    Returns:
        a summary.
    """
    from ..data.datasets.any_folder import scan_folder

    datalist = scan_folder(data, seed=seed, patient_pattern=patient_pattern, spatial_dims=spatial_dims)
    if output is not None:
        datalist.save(output)
    patients = len({record["patient"] for record in datalist.records})
    lines = [
        f"{len(datalist.records)} images of {patients} patients: {len(datalist.training)} training, "
        f"{len(datalist.validation)} validation, {len(datalist.test)} test"
    ]
    lines += [f"skipped {item['path']}: {item['reason']}" for item in datalist.skipped]
    lines.append(f"{len(datalist.skipped)} files skipped")
    if output is not None:
        lines.append(f"The data list is in {output}.")
    return "\n".join(lines)

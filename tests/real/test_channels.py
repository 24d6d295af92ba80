"""Brain MRI of four channels, in one file and in a file each."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_sg.data.boxes.read import ReadBoxd
from monai_sg.data.cache.opening import open_cache
from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist

NAMES = ("TCGA-DU-7294", "TCGA-FG-6692")


def _open(folder: Path, out: Path, split: bool) -> VolumeCache:
    records = []
    for name in NAMES:
        image: str | list[str] = str(folder / f"images/{name}.nii.gz")
        if split:
            whole = nib.load(image)
            parts = [nib.Nifti1Image(np.asarray(whole.dataobj[..., each]), whole.affine) for each in range(4)]
            image = [str(out / f"{name}_{number:04d}.nii.gz") for number in range(4)]
            for part, path in zip(parts, image, strict=True):
                nib.save(part, path)
        label = str(folder / f"labels/{name}.nii.gz")
        records.append({"image": image, "label": label, "id": name, "patient": name})
    return open_cache(Datalist(records), folder, out / "cache", progress=False, channels=4, labels=True)


@pytest.mark.parametrize("split", [False, True])
def test_tumours_are_where_flair_is_bright(real_data: Path, tmp_path: Path, split: bool) -> None:
    cache = _open(real_data / "brain_tumour_4ch", tmp_path, split)
    assert cache.ids == list(NAMES)
    for name in NAMES:
        entry, array, labels = cache.entry(name), cache.array(name), cache.label(name)
        assert (entry.channels, entry.dtype, entry.spacing) == (4, "int16", (1, 1, 1))
        assert array.shape == (4, *labels.shape)
        brain = array[0] > 0
        tumour, rest = (float(np.median(array[0][mask])) for mask in (labels > 0, brain & (labels == 0)))
        assert tumour > 1.3 * rest
        assert len(set(cache.windows(name, "percentile"))) == 4
        centre = np.argwhere(labels > 0).mean(axis=0).astype(int)
        box = [[int(place) - 24, int(place) + 24] for place in centre]
        item = ReadBoxd(cache, (48, 48, 48), label_map="label")({"id": name, "box": box})
        assert item["image"].shape == (4, 48, 48, 48)
        assert item["label"].shape == (1, 48, 48, 48)
        assert set(item["label"].unique().tolist()) <= {0, 1, 2, 4}

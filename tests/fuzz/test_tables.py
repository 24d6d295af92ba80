from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from monai_sg.data.cache.index import CacheEntry, CacheIndex
from monai_sg.data.datasets.chest_xray14 import ChestXray14
from monai_sg.data.datasets.class_folder import ClassFolder
from monai_sg.data.records import Datalist, PatternTable
from monai_sg.utils.files import sha256_of
from monai_sg.weights.description import description_of, network_described, settings_of
from tests.fuzz.changes import spoilt
from tests.fuzz.outcome import Folder, told

CLASSES = b"image,class,patient,split\na.png,x,p1,train\nb.png,y,p2,val\nc.png,x,p3,test\nd.png,y,p4,train\n"
COLUMNS = b"image,x,y\na.png,0,1\nb.png,1,0\nc.png,0,0\nd.png,1,1\n"
ENTRY = (
    b"Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"
    b"a.png,Cardiomegaly|Effusion,0,1,058Y,M,PA\nb.png,No Finding,0,2,040Y,F,AP\n"
)
LIST = {
    "training": [{"image": "a.png", "label": 0, "id": "a", "patient": "p1"}],
    "validation": [{"image": "b.png", "label": [0, 1], "id": "b", "patient": "p2"}],
    "test": [{"image": ["c.png", "d.png"], "label": None, "id": "c", "patient": "p3"}],
    "skipped": [{"path": "e.png", "reason": "is cut short"}],
    "classes": ["x", "y"],
    "source": "a folder",
}
PATTERNS = {
    "version": 1, "seed": 0, "preset": "default", "features_sha256": "0",
    "grid": {"spacing": [1, 1, 1], "frame": "body", "crop_size": [8, 8, 8]},
    "classes": [{"label": 0, "reference": "a", "anchor": [0.5, 0.5, 0.5], "neighbours": [["b", 0.1]]}],
    "training": [{"id": "a", "label": 0, "scale": 1, "box": [[0, 8], [0, 8], [0, 8]]}], "validation": [], "test": [],
}  # fmt: skip
scalar = st.none() | st.booleans() | st.integers(-3, 1 << 40) | st.sampled_from(("", "a", "..", "\0", 1.5, -1e300))
anything = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)


@st.composite
def changed(draw: st.DrawFn, content: Any) -> Any:
    """Return a structure in which something is another thing, or not there."""
    if not content or not isinstance(content, dict | list) or draw(st.integers(0, 5)) == 0:
        return draw(anything)
    place = draw(st.sampled_from(sorted(content) if isinstance(content, dict) else range(len(content))))
    copy: Any = dict(content) if isinstance(content, dict) else list(content)
    if draw(st.integers(0, 4)) == 0:
        del copy[place]
    else:
        copy[place] = draw(changed(content[place]))
    return copy


@st.composite
def json_of(draw: st.DrawFn, content: Any) -> bytes:
    text = json.dumps(draw(changed(content))).encode()
    return draw(spoilt(text)) if draw(st.booleans()) else text


def with_pictures(folder: Path) -> Path:
    for name in "abcd":
        Image.new("L", (9, 9), ord(name)).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("table", [CLASSES, COLUMNS], ids=["class", "columns"])
@given(data=st.data())
def test_tables_of_classes(folder: Folder, table: bytes, data: st.DataObject) -> None:
    here = with_pictures(folder())
    (here / "labels.csv").write_bytes(data.draw(spoilt(table)))
    names = ("x", "y") if table == COLUMNS else ()
    if found := told(lambda: ClassFolder(names).read(here)):
        assert isinstance(found, Datalist)
        assert all((here / record["image"]).is_file() for record in found.records)


@given(st.data())
def test_tables_of_chest_films(folder: Folder, data: st.DataObject) -> None:
    here = with_pictures(folder())
    (here / "Data_Entry_2017.csv").write_bytes(data.draw(spoilt(ENTRY)))
    (here / "train_val_list.txt").write_bytes(data.draw(spoilt(b"a.png\n")))
    (here / "test_list.txt").write_bytes(data.draw(spoilt(b"b.png\n")))
    told(lambda: ChestXray14().read(here))


@given(st.data())
def test_data_lists(folder: Folder, data: st.DataObject) -> None:
    path = folder() / "datalist.json"
    path.write_bytes(data.draw(json_of(LIST)))
    if found := told(lambda: Datalist.load(path)):
        assert isinstance(found, Datalist)
        assert all(record["id"] for record in found.records)


@given(st.data())
def test_patterns(folder: Folder, data: st.DataObject) -> None:
    path = folder() / "patterns.json"
    path.write_bytes(data.draw(json_of(PATTERNS)))
    told(lambda: PatternTable.load(path, data.draw(st.none() | st.integers(1, 3))))


@given(st.data())
def test_index_of_a_cache(folder: Folder, data: st.DataObject) -> None:
    path = folder() / "index.json"
    path.write_bytes(data.draw(json_of({"version": 6, "entries": {}, "refused": {"a": "b"}, "fingerprints": {}})))
    told(lambda: CacheIndex.load(path, CacheEntry, 6))


@given(st.data())
def test_description_of_weights(folder: Folder, data: st.DataObject) -> None:
    path = folder() / "model.pt"
    path.write_bytes(b"weights")
    network = {"_target_": "monai_sg.networks.genesis_unet.GenesisUNet", "spatial_dims": 2, "width": 4}
    content = {"network": network, "version": 1, "preprocessing": {}, "sha256": sha256_of(path)}
    path.with_suffix(".json").write_bytes(data.draw(json_of(content)))
    told(lambda: description_of(path))
    told(lambda: network_described(path))
    told(lambda: settings_of(path))

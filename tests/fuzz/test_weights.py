from __future__ import annotations

import io

import torch
from hypothesis import given
from hypothesis import strategies as st

from monai_sg.weights.reading import read_weights
from tests.fuzz.changes import spoilt
from tests.fuzz.outcome import Folder, told

STATE = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.zeros(3), "n": torch.tensor(2)}


def saved(content: object, old: bool) -> bytes:
    kept = io.BytesIO()
    torch.save(content, kept, _use_new_zipfile_serialization=not old)
    return kept.getvalue()


@given(st.data())
def test_bytes_of_weights(folder: Folder, data: st.DataObject) -> None:
    path = folder() / "model.pt"
    path.write_bytes(data.draw(spoilt(saved(STATE, data.draw(st.booleans())))))
    if found := told(lambda: read_weights(path)):
        assert isinstance(found, dict)
        assert all(isinstance(value, torch.Tensor) for value in found.values())


tensor = st.sampled_from((torch.ones(2), torch.ones(1, dtype=torch.int64), torch.zeros(0)))
content = st.recursive(
    st.none() | st.integers() | st.text("abc", max_size=3) | tensor,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("state_dict", "model", "a")), inner),
    max_leaves=6,
)


@given(content=content, old=st.booleans())
def test_what_weights_hold(folder: Folder, content: object, old: bool) -> None:
    path = folder() / "model.pt"
    path.write_bytes(saved(content, old))
    if found := told(lambda: read_weights(path)):
        assert isinstance(found, dict)
        assert all(isinstance(value, torch.Tensor) for value in found.values())

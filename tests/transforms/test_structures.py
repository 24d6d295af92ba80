from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ClassesToIndicesd

from monai_sg.transforms.structures import StructureChannelsd, StructureIndicesd, StructureMapd, map_values

TUMOUR = {"whole": [2, 1, 4], "core": [1, 4], "enhancing": [4]}
HIPPOCAMPUS = {"anterior": [1], "posterior": [2]}


@pytest.mark.parametrize(
    ("structures", "values"),
    [
        ({"liver": [1, 2]}, [1]),
        (HIPPOCAMPUS, [1, 2]),
        (TUMOUR, [2, 1, 4]),
        ({"mask": [255]}, [255]),
    ],
)
def test_the_value_of_a_structure_is_its_first_that_no_later_one_has(
    structures: dict[str, list[int]], values: list[int]
) -> None:
    assert map_values(structures) == values


@pytest.mark.parametrize(
    ("structures", "sentence"),
    [
        ({"enhancing": [4], "core": [1, 4]}, r"enhancing \[4\] has no label value that later ones lack"),
        ({"a": [1], "b": []}, r"The structure b \[\] has no label value"),
        ({"a": [300]}, "label value 300; write values from 1 to 255"),
        ({"a": [0]}, "label value 0; write values from 1 to 255"),
    ],
)
def test_a_structure_that_no_map_could_show_is_refused(structures: dict[str, list[int]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        StructureMapd("pred", structures)


@pytest.mark.parametrize("structures", [HIPPOCAMPUS, TUMOUR, {"liver": [1]}])
@pytest.mark.parametrize("shape", [(6, 7), (5, 6, 7)])
def test_a_label_map_survives_channels_and_back(structures: dict[str, list[int]], shape: tuple[int, ...]) -> None:
    known = [0, *sorted({value for values in structures.values() for value in values})]
    label = torch.tensor(known)[torch.randint(len(known), (1, *shape), generator=torch.Generator().manual_seed(0))]
    channels = StructureChannelsd("label", structures)({"label": MetaTensor(label, affine=2 * torch.eye(4))})["label"]
    assert channels.shape == (len(structures), *shape)
    assert channels.dtype == torch.uint8
    back = StructureMapd("label", structures)({"label": channels.float()})["label"]
    assert back.dtype == torch.uint8
    assert torch.equal(back.long(), label)
    assert torch.equal(back.affine, 2 * torch.eye(4, dtype=torch.float64))


def test_overlapping_structures_share_voxels_and_the_later_one_lies_on_top() -> None:
    label = torch.tensor([[[0, 1, 2, 4]]])
    channels = StructureChannelsd("label", TUMOUR)({"label": label})["label"]
    assert channels.tolist() == [[[0, 1, 1, 1]], [[0, 1, 0, 1]], [[0, 0, 0, 1]]]
    probability = torch.tensor([[[0.4, 0.5, 0.9, 0.1]], [[0.4, 0.4, 0.5, 0.1]], [[0.49, 0.2, 0.1, 0.5]]])
    assert StructureMapd("pred", TUMOUR)({"pred": probability})["pred"].tolist() == [[[0, 2, 1, 4]]]
    with pytest.raises(ValueError, match="2 channels are no map of 3 structures"):
        StructureMapd("pred", TUMOUR)({"pred": probability[:2]})


def test_one_structure_gives_the_indices_of_monai() -> None:
    label = (torch.rand(1, 6, 7, 8, generator=torch.Generator().manual_seed(0)) > 0.7).to(torch.uint8)
    expected = ClassesToIndicesd("label", num_classes=2, max_samples_per_class=20)({"label": label})
    found = StructureIndicesd("label", max_samples=20)({"label": label})
    for one, other in zip(found["label_cls_indices"], expected["label_cls_indices"], strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))


def test_indices_of_several_structures_begin_with_the_background() -> None:
    label = torch.tensor([[[0, 1, 1, 0, 0]], [[0, 0, 1, 1, 0]]])
    found = StructureIndicesd("label")({"label": label})["label_cls_indices"]
    assert [torch.as_tensor(kind).tolist() for kind in found] == [[0, 4], [1, 2], [2, 3]]


def test_data_without_label_pass() -> None:
    assert StructureChannelsd("label", HIPPOCAMPUS, allow_missing_keys=True)({"image": 1}) == {"image": 1}

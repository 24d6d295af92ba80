from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from monai_sg.data.phantom.body import Phantom, make_phantom
from monai_sg.data.phantom.patient import BODY_TYPES, ORGANS, PHASES

SHAPE = (62, 48, 49)


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return [make_phantom(0, number, SHAPE) for number in range(6)]


# the medians of an organ, whatever the phase of the contrast medium
HU = {
    "background": (-1015, -960),
    "fat": (-125, -60),
    "soft_tissue": (20, 80),
    "bone": (150, 450),
    "lung_right": (-940, -740),
    "lung_left": (-940, -740),
    "heart": (30, 340),
    "aorta": (25, 370),
    "liver": (40, 140),
    "spleen": (35, 140),
    "kidney": (10, 210),
}


@pytest.mark.parametrize("organ", sorted(HU))
def test_organs_have_their_density(organ: str, phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        inside = ndimage.binary_erosion(phantom.labels == ORGANS[organ])
        inside = inside if inside.sum() > 30 else phantom.labels == ORGANS[organ]
        low, high = HU[organ]
        assert inside.any()
        assert low < np.median(phantom.hu[inside]) < high


def test_organs_lie_on_their_side(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        at = {name: np.argwhere(phantom.labels == number).mean(0) for name, number in ORGANS.items() if name in HU}
        assert at["liver"][0] > at["aorta"][0] > at["spleen"][0]
        assert at["lung_right"][0] > at["heart"][0] > at["lung_left"][0]
        assert at["heart"][1] > at["aorta"][1]
        assert at["heart"][2] > at["liver"][2] > at["kidney"][2]


def test_air_inside_the_body_is_closed_off_from_the_air_around_it(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        pieces, _ = ndimage.label(phantom.hu < -500)
        around = pieces[0, -1, -1]
        lungs = np.isin(phantom.labels, [ORGANS["lung_right"], ORGANS["lung_left"]])
        assert (pieces[lungs] == around).mean() < 0.001
        assert 1.5e6 < lungs.sum() * abs(np.linalg.det(phantom.affine)) < 9e6  # mm3, that is 1.5 to 9 litres


def test_patients_differ_and_the_same_patient_does_not(phantoms: list[Phantom]) -> None:
    again = make_phantom(0, 1, SHAPE)
    assert np.array_equal(again.hu, phantoms[1].hu)
    assert np.array_equal(again.labels, phantoms[1].labels)
    assert len({phantom.affine.tobytes() for phantom in phantoms}) == 6
    assert len({phantom.patient.scale for phantom in phantoms}) == 6
    other = make_phantom(1, 1, SHAPE)
    assert other.patient != phantoms[1].patient


def test_cohort_has_every_body_type_and_phase() -> None:
    patients = [make_phantom(0, number, (32, 24, 24)).patient for number in range(24)]
    assert {patient.body_type for patient in patients} == set(BODY_TYPES)
    assert {patient.phase for patient in patients} == set(PHASES)


def test_left_and_right_lung_have_similar_density_but_different_texture(phantoms: list[Phantom]) -> None:
    for phantom in phantoms:
        right = phantom.hu[phantom.labels == ORGANS["lung_right"]].mean()
        left = phantom.hu[phantom.labels == ORGANS["lung_left"]].mean()
        assert abs(right - left) < 40
        mirrored = phantom.hu[::-1]
        both = np.isin(phantom.labels, [4, 5]) & np.isin(phantom.labels[::-1], [4, 5])
        assert np.corrcoef(phantom.hu[both], mirrored[both])[0, 1] < 0.5

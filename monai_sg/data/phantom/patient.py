"""The parameters that make one patient of the phantom cohort, drawn around a few body types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ORGANS = {
    "background": 0,
    "fat": 1,
    "soft_tissue": 2,
    "bone": 3,
    "lung_right": 4,
    "lung_left": 5,
    "heart": 6,
    "aorta": 7,
    "airway": 8,
    "liver": 9,
    "spleen": 10,
    "kidney": 11,
    "stomach": 12,
    "lung_nodule": 13,
    "liver_tumour": 14,
}


@dataclass(frozen=True)
class BodyType:
    """Mean sizes of a kind of patient: scales of the reference anatomy, lengths in mm, angles in degrees.

    ``dome`` lifts the diaphragm, ``turn`` raises the axis of the heart, ``mediastinum`` widens the space between the
    lungs, ``taper`` narrows the chest upwards, ``kyphosis`` curves the spine.
    """

    width: float
    depth: float
    height: float
    fat: float
    belly: float
    breast: float
    heart: float
    lung_hu: float
    dome: float
    turn: float
    mediastinum: float
    taper: float
    kyphosis: float


BODY_TYPES = {
    "slim": BodyType(0.93, 0.90, 1.06, 6, 0, 0, 0.88, -865, -12, 24, -2, 1.0, 0.6),
    "average": BodyType(1.00, 1.00, 1.00, 13, 6, 0, 1.00, -850, 0, 0, 2, 1.0, 1.0),
    "woman": BodyType(0.91, 0.93, 0.92, 16, 2, 32, 0.92, -845, 3, 8, -1, 0.4, 0.7),
    "obese": BodyType(1.05, 1.08, 0.94, 27, 22, 14, 1.13, -810, 16, -20, 9, 1.6, 1.2),
    "barrel_chest": BodyType(1.02, 1.17, 1.10, 7, 0, 0, 0.84, -905, -20, 30, -3, 0.3, 1.9),
}

# HU of the blood in the left heart and aorta, right heart and veins, liver and spleen, kidney cortex
PHASES = {
    "native": (42.0, 42.0, 56.0, 34.0),
    "pulmonary": (170.0, 330.0, 60.0, 60.0),
    "arterial": (310.0, 170.0, 72.0, 170.0),
    "portal": (150.0, 145.0, 112.0, 190.0),
}


@dataclass(frozen=True)
class Patient:
    """One phantom patient: sizes in mm or as a scale of the reference anatomy, densities in HU, angles in degrees."""

    body_type: str
    phase: str
    scale: tuple[float, float, float]
    fat: float
    belly: float
    breast: float
    heart: float
    lung_hu: float
    blood: float
    venous: float
    liver_hu: float
    kidney_hu: float
    dome: float
    turn: float
    mediastinum: float
    taper: float
    kyphosis: float
    liver: float
    spleen: float
    stomach: float
    gas: float
    vertebra: float
    scoliosis: float
    tilt: tuple[float, float, float]
    shift: tuple[float, float, float]
    table_gap: float
    noise: float
    kernel: float

    @property
    def lift(self) -> float:
        """By how much the organs below the diaphragm move with it, in mm."""
        return 0.7 * self.dome


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw one patient: a body type and a contrast phase, then every size around that type's mean."""
    body_type = str(rng.choice(list(BODY_TYPES)))
    phase = str(rng.choice(list(PHASES), p=[0.45, 0.15, 0.2, 0.2]))
    kind = BODY_TYPES[body_type]
    blood, venous, liver_hu, kidney_hu = PHASES[phase]
    vary = rng.normal(1, 0.025, 3)
    return Patient(
        body_type=body_type,
        phase=phase,
        scale=(kind.width * float(vary[0]), kind.depth * float(vary[1]), kind.height * float(vary[2])),
        fat=float(max(kind.fat + rng.normal(0, 2), 4)),
        belly=float(max(kind.belly + rng.normal(0, 3), 0)),
        breast=kind.breast * float(rng.uniform(0.8, 1.2)),
        heart=kind.heart * float(rng.normal(1, 0.05)),
        lung_hu=kind.lung_hu + float(rng.normal(0, 12)),
        blood=blood * float(rng.normal(1, 0.08)),
        venous=venous * float(rng.normal(1, 0.08)),
        liver_hu=liver_hu + float(rng.normal(0, 6)),
        kidney_hu=kidney_hu + float(rng.normal(0, 6)),
        dome=kind.dome + float(rng.normal(0, 6)),
        turn=kind.turn + float(rng.normal(0, 8)),
        mediastinum=kind.mediastinum + float(rng.normal(0, 2.5)),
        taper=kind.taper * float(rng.normal(1, 0.08)),
        kyphosis=kind.kyphosis * float(rng.normal(1, 0.08)),
        liver=float(rng.normal(1, 0.07)),
        spleen=float(rng.normal(1, 0.12)),
        stomach=float(rng.normal(1, 0.15)),
        gas=float(rng.uniform(-0.3, 0.6)),
        vertebra=float(rng.uniform(0, 25)),
        scoliosis=float(rng.normal(0, 4)),
        tilt=(float(rng.normal(0, 1.5)), float(rng.normal(0, 1.5)), float(rng.normal(0, 2.5))),
        shift=(float(rng.normal(0, 6)), float(rng.normal(4, 5)), float(rng.normal(0, 8))),
        table_gap=float(rng.uniform(2, 12)),
        noise=float(rng.uniform(8, 25)),
        kernel=float(rng.uniform(0.3, 0.7)),
    )

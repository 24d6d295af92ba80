"""Chest wall, lungs, airways, heart and great vessels of the reference anatomy."""

from __future__ import annotations

import numpy as np

from .patient import ORGANS, Patient
from .shapes import Array, Canvas, choose, ellipsoid, oval, rotation
from .skeleton import spine_line
from .vessels import Tree, grow_tree, paint_tree, points_in

HILA = {1: np.array([30.0, -12.0, 66.0]), -1: np.array([-32.0, -16.0, 72.0])}
TWIGS = 190


def cavity_distance(points: Array, patient: Patient) -> Array:
    """Distance (mm, negative inside) to the cavity of the rib cage, which narrows upwards and is open below."""
    x, y, z = points
    rise = np.maximum(z, 0) / 100
    taper = patient.taper * rise * rise
    return oval(x, y, 130 * (1 - 0.13 * taper), 89 * (1 - 0.13 * taper))


def paint_wall(canvas: Canvas, patient: Patient, cavity: Array, texture: Array) -> None:
    """Paint skin, subcutaneous fat, breasts and the muscle of the trunk; shoulders widen it, a belly deepens it."""
    x, y, z = canvas.points
    low, high = np.maximum(-z, 0) / 100, np.maximum(z - 80, 0) / 100
    front = np.clip(y / 60, 0, 1) * (patient.belly * np.minimum(low, 1) + 2 * np.cos(x / 40))
    middle = y + 8 + 14 * high
    muscle = np.minimum(oval(x, middle, 149 + 26 * high, 105 - 22 * high), cavity - 15)
    skin = muscle - patient.fat * (1 - 0.2 * (y / 100) ** 2) - front
    whole = (slice(None),) * 3
    for side in (-1, 1) if patient.breast else ():
        depth = 26 + patient.breast
        local = np.sqrt(((x - side * 80) / 64) ** 2 + ((y - 84) / depth) ** 2 + ((z - 40) / 66) ** 2) * depth - depth
        overlap = np.maximum(16 - np.abs(skin - local), 0) / 16
        skin = np.minimum(skin, local) - 4 * overlap * overlap
    canvas.paint(whole, skin, 10, ORGANS["soft_tissue"])
    canvas.paint(whole, skin + 3, -104 + 5 * texture, ORGANS["fat"])
    if patient.breast:
        gland = np.maximum(muscle * -1, skin + 12) + choose((y > 50) & (z > 0) & (z < 80), 0, 50)
        canvas.paint(whole, gland + 6 * texture, 15)
    sheets = choose(np.abs(muscle + 13) < 1.2, -70, 0) + choose(texture > 1.3, -60, 0)
    canvas.paint(whole, muscle, 52 + 8 * texture + sheets, ORGANS["soft_tissue"])


def lung_distance(canvas: Canvas, patient: Patient, cavity: Array, diaphragm: Array) -> Array:
    """Distance (mm, negative inside) to the two lungs: the cavity below the apices without mediastinum and heart."""
    x, y, z = canvas.points
    across = (np.abs(x) - 44) / 88
    apex = (np.sqrt(across**2 + ((y + 12) / 98) ** 2 + (np.maximum(z - 52, 0) / 108) ** 2) - 1) * 90
    column = 11 + patient.mediastinum + 17 * np.exp(-(((y + 4) / 34) ** 2)) + 0.11 * np.maximum(z - 105, 0)
    spine = 25 - np.sqrt((x * 0.95) ** 2 + (y - spine_line(z, patient)) ** 2)
    middle = np.maximum(column - np.abs(x + 3), spine)
    heart = np.full(canvas.shape, 100, np.float32)
    box = canvas.box((-110, -60, -60), (60, 110, 120))
    heart[box] = heart_distance(canvas.points[(slice(None), *box)], patient) - 3
    lung = np.maximum(np.maximum(cavity + 1, apex), np.maximum(middle, -heart))
    return np.maximum(lung, diaphragm).astype(np.float32)


def diaphragm_distance(canvas: Canvas, patient: Patient) -> Array:
    """Height (mm) of the diaphragm above each voxel, positive below it; the right dome is the higher one."""
    x, y, z = canvas.points
    fall = ((np.abs(x) - 62) / 82) ** 2 + ((y - 16) / 92) ** 2
    dome = choose(x > 0, 4 + patient.dome, -9 + 0.8 * patient.dome) + 4 * np.sin(x / 21) * np.cos(y / 27)
    return np.asarray(dome - 74 * fall - z, dtype=np.float32)


def _heart_axes(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    return np.array([-23.0, 24.0, 28.0 + 0.6 * patient.dome]), rotation(12, 24 - patient.turn, -38)


def heart_distance(points: Array, patient: Patient) -> Array:
    """Distance (mm, negative inside) to the pericardium."""
    centre, turn = _heart_axes(patient)
    size = patient.heart
    return ellipsoid(points, centre, (62 * size, 45 * size, 43 * size), turn)


def paint_lungs(canvas: Canvas, patient: Patient, lung: Array, texture: Array, grain: Array) -> None:
    """Paint the parenchyma: denser towards the back, mottled, with an oblique fissure on each side."""
    x, y, z = canvas.points
    density = patient.lung_hu + 22 * grain + 14 * texture - 0.35 * (y + 10)
    if patient.body_type == "barrel_chest":
        density = density - 70 * np.clip(texture - 0.6, 0, 1)
    whole = (slice(None),) * 3
    canvas.paint(whole, lung, density)
    canvas.labels[lung < 0] = np.where(x > 0, ORGANS["lung_right"], ORGANS["lung_left"])[lung < 0]
    oblique = np.abs(z - 60 - 0.95 * (-y - 5) + choose(x > 0, 0, 6)) / 1.4
    canvas.paint(whole, np.maximum(oblique - 1, lung + 1), patient.lung_hu + 190, share=0.7)
    level = np.maximum(np.abs(z - 62 - 0.04 * y) - 1, np.maximum(lung + 1, 20 - x) + choose(y > -5, 0, 50))
    canvas.paint(whole, level, patient.lung_hu + 150, share=0.6)


def paint_lung_vessels(canvas: Canvas, patient: Patient, lung: Array, rng: np.random.Generator) -> list[Tree]:
    """Paint arteries and veins from each hilum into the lung, and the walls of the first bronchi; give the trees."""
    trees = []
    for side, hilum in HILA.items():
        targets = points_in(canvas, (lung < -5) & (side * canvas.points[0] > 0), TWIGS, rng)
        trees.append(grow_tree(hilum, targets, twig=1.0))
        paint_tree(canvas, trees[-1], 38 + 0.75 * (patient.venous - 38), widest=8.0)
        lobes = hilum + np.array([[side * 14, 4, 24], [side * 20, 20, -8], [side * 20, -22, -22], [side * 26, -14, 6]])
        for lobe in lobes:
            tip = lobe + 0.9 * (lobe - hilum)
            canvas.tube([hilum, lobe, tip], [5.2, 4.4, 3.2], -80)
            canvas.tube([hilum, lobe, tip], [3.6, 2.8, 1.6], -960)
    return trees


def paint_mediastinum(canvas: Canvas) -> None:
    """Paint the thyroid gland, the oesophagus, the trachea and the main bronchi."""
    neck = np.array([(2, 0, 205), (1, -8, 120), (-3, -28, 80), (-8, -30, 0), (-18, -10, -32)])
    canvas.ellipsoid((16, 10, 178), (13, 12, 24), 95)
    canvas.ellipsoid((-16, 10, 178), (13, 12, 24), 95)
    canvas.tube(neck - [0, 18, 0], 8.5, 38, ORGANS["soft_tissue"])
    paths = [
        ([(2, 10, 205), (1, 0, 140), (0, -14, 90)], (9.0, 9.0, 9.5)),
        ([(0, -14, 90), tuple(HILA[1])], (8.0, 6.0)),
        ([(0, -14, 90), tuple(HILA[-1])], (7.0, 5.5)),
    ]
    for path, radii in paths:
        canvas.tube(path, [radius + 2 for radius in radii], 20, ORGANS["soft_tissue"])
    for path, radii in paths:
        canvas.tube(path, list(radii), -990, ORGANS["airway"])


def paint_heart(canvas: Canvas, patient: Patient) -> None:
    """Paint pericardial fat, muscle and the four chambers, the left ventricle with its thicker wall."""
    centre, turn = _heart_axes(patient)
    size, heart = patient.heart, ORGANS["heart"]
    radii = np.array([62.0, 45.0, 43.0]) * size
    canvas.ellipsoid(centre, radii, -75, ORGANS["fat"], turn)
    canvas.ellipsoid(centre, radii - 4, 46 + 0.3 * (patient.blood - 46), heart, turn)
    chambers = [
        ((-22, -8, -8), (32, 17, 19), patient.blood),
        ((-8, 24, -6), (36, 14, 19), patient.venous),
        ((36, 12, 4), (19, 21, 24), patient.venous),
        ((24, -20, 12), (22, 16, 19), patient.blood),
    ]
    for place, reach, hu in chambers:
        canvas.ellipsoid(centre + turn @ (np.array(place) * size), np.array(reach) * size, hu, heart, turn)
    groove = centre + turn @ (np.array([10.0, 8.0, 26.0]) * size)
    canvas.ellipsoid(groove, (26, 5, 6), -70, None, turn)


def paint_vessels(canvas: Canvas, patient: Patient) -> None:
    """Paint pulmonary trunk and arteries, both caval veins, the aorta with its arch and the three vessels above it."""
    heart, soft = ORGANS["heart"], ORGANS["soft_tissue"]
    canvas.tube([(24, 14, 150), (25, 10, 100), (24, 12, 62)], 9.0, patient.venous, soft)
    canvas.tube([(-22, 34, 52), (-20, 22, 76), (-14, 6, 80)], 13.5, patient.venous, heart)
    canvas.tube([(-14, 6, 80), (14, -4, 74), tuple(HILA[1])], [11.0, 10.0, 7.5], patient.venous, soft)
    canvas.tube([(-16, 8, 82), tuple(HILA[-1] + [0, 2, 6])], [11.5, 7.5], patient.venous, soft)
    canvas.tube([(8, -28, 46), (-32, -22, 50)], 8.0, patient.blood, soft)
    canvas.tube([(8, -26, 46), (34, -18, 50)], 7.0, patient.blood, soft)
    rise = [(-2, 16, 48), (10, 22, 76), (8, 16, 100), (-2, 2, 113), (-14, -18, 112), (-20, -32, 98)]
    fall = [(-21, float(spine_line(z, patient)) + 22 - 0.04 * (90 - z), z) for z in (80, 50, 20, -10)]
    belly = [(-8 + 0.04 * z, float(spine_line(z, patient)) + 24, z) for z in (-45.0, -90.0, -140.0)]
    widths = [15.0, 15.0, 14.5, 13.5, 12.5, 12.0, 11.5, 11.0, 10.5, 10.5, 10.0, 9.5, 9.0]
    canvas.tube(rise + fall + belly, [width + 2 for width in widths], 20, soft)
    canvas.tube(rise + fall + belly, widths, patient.blood, ORGANS["aorta"])
    for start, stop, radius in (((6, 8, 110), (24, 14, 160), 6.5), ((-8, 0, 114), (-18, 8, 165), 4.5)):
        canvas.tube([start, stop, (stop[0] * 1.3, stop[1], 205)], radius, patient.blood, soft)
    canvas.tube([(-15, -12, 112), (-26, -4, 160), (-60, 6, 178)], 5.0, patient.blood, soft)
    canvas.tube([(24, 22, 142), (-30, 28, 152), (-70, 18, 172)], 6.0, patient.venous, soft)

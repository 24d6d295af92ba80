"""Liver, spleen, stomach, kidneys and bowel of the reference anatomy."""

from __future__ import annotations

import numpy as np

from .patient import ORGANS, Patient
from .shapes import Array, Canvas, ellipsoid, rotation
from .skeleton import spine_line
from .vessels import grow_tree, paint_tree, points_in


def paint_fat(canvas: Canvas, cavity: Array, diaphragm: Array, lung: Array, texture: Array) -> None:
    """Paint the fat between the lungs, the diaphragm, and the fat of the abdominal cavity with loops of bowel."""
    whole = (slice(None),) * 3
    _, y, z = canvas.points
    canvas.paint(whole, np.maximum(cavity + 1, -lung), -85 + 22 * texture, ORGANS["fat"])
    inside = np.maximum(cavity + 3, 3 - diaphragm)
    canvas.paint(whole, np.maximum(cavity + 1, -diaphragm), 45, ORGANS["soft_tissue"])
    canvas.paint(whole, inside, -104 + 9 * texture, ORGANS["fat"])
    loops = np.maximum(inside, np.maximum(z + 62, 8 - y)) - 4 * texture
    canvas.paint(whole, np.maximum(loops, (0.1 - np.abs(texture)) * -12), 28 + 12 * texture, ORGANS["soft_tissue"])


def paint_back(canvas: Canvas, patient: Patient) -> None:
    """Paint the psoas muscles beside the spine and the crura of the diaphragm in front of it."""
    for side in (-1, 1):
        low = [(side * (22 - 0.1 * z), float(spine_line(z, patient)) - 2, z) for z in (-55.0, -90.0, -150.0)]
        canvas.tube(low, [7, 13, 18], 55, ORGANS["soft_tissue"])
        crus = [(side * 10, float(spine_line(z, patient)) + 16 + 0.1 * (z + 60), z) for z in (-70.0, -40.0, -15.0)]
        canvas.tube(crus, [5, 5, 4], 50, ORGANS["soft_tissue"])


def liver_distance(canvas: Canvas, patient: Patient, cavity: Array, diaphragm: Array) -> Array:
    """Distance (mm, negative inside) to the liver: two lobes below the diaphragm, the right one much larger."""
    size = patient.liver
    box = canvas.box((-100, -110, -150), (160, 110, 40))
    points = canvas.points[(slice(None), *box)]
    right = ellipsoid(points, (66, -2, -44 + patient.lift), (74 * size, 84 * size, 80 * size), rotation(0, -14, 10))
    left = ellipsoid(points, (-2, 36, -28 + patient.lift), (72 * size, 36, 34 * size), rotation(0, 12, -8))
    x, y, z = points
    hollow = 30 - np.sqrt((x - 8) ** 2 + (y + 34) ** 2)
    edge = 0.8 * (-84 - 0.4 * (x - 60) + 0.003 * (x - 60) ** 2 - 0.35 * y - z + patient.lift)
    lobes = np.maximum(np.minimum(right, left), edge)
    liver = np.full(canvas.shape, 100, np.float32)
    liver[box] = np.maximum(np.maximum(lobes, hollow), np.maximum(cavity[box] + 4, 4 - diaphragm[box]))
    return liver


def paint_liver(canvas: Canvas, patient: Patient, liver: Array, texture: Array, rng: np.random.Generator) -> None:
    """Paint the liver with hepatic and portal veins, the vena cava and the gall bladder."""
    whole = (slice(None),) * 3
    canvas.paint(whole, liver, patient.liver_hu + 4 * texture, ORGANS["liver"])
    veins = 38 + 0.9 * (patient.venous - 38) if patient.phase != "arterial" else patient.liver_hu + 35
    if patient.phase == "native":
        veins = 36.0
    for root, count in (
        (np.array([16.0, -10.0, -18.0 + patient.lift]), 22),
        (np.array([22.0, 8.0, -58.0 + patient.lift]), 26),
    ):
        targets = points_in(canvas, liver < -8, count, rng)
        if len(targets) == count:
            paint_tree(canvas, grow_tree(root, targets, twig=1.5), veins, widest=6.0)
    cava = [(22, float(spine_line(z, patient)) + 26, z) for z in (-150.0, -80.0, -30.0)]
    canvas.tube([*cava, (14, 0, 6 + 0.6 * patient.dome)], 10.0, veins, ORGANS["soft_tissue"])
    canvas.ellipsoid((44, 38, -84 + patient.lift), (15, 17, 26), 8, ORGANS["soft_tissue"], rotation(30, 0, 0))


def paint_left_organs(canvas: Canvas, patient: Patient, cavity: Array, diaphragm: Array, texture: Array) -> None:
    """Paint the spleen at the left back and the stomach in front of it, with food, wall and a gas bubble on top."""
    box = canvas.box((-140, -100, -130), (20, 90, 20))
    points, grain = canvas.points[(slice(None), *box)], texture[box]
    limit = np.maximum(cavity[box] + 4, 4 - diaphragm[box])
    place, size = np.array([-58.0, 28.0, -48.0 + patient.lift]), patient.stomach
    stomach = ellipsoid(points, place, np.array([40.0, 38.0, 50.0]) * size, rotation(0, 25, 15))
    stomach = np.maximum(stomach, limit)
    canvas.paint(box, stomach, 40, ORGANS["stomach"])
    canvas.paint(box, stomach + 4, 22 + 16 * grain)
    level = float(place[1]) + 38 * size * patient.gas - points[1]
    canvas.paint(box, np.maximum(stomach + 4, level), -970)
    radii = np.array([30.0, 52.0, 46.0]) * patient.spleen
    spleen = np.maximum(ellipsoid(points, (-98, -32, -46 + patient.lift), radii, rotation(20, 0, -25)), limit)
    canvas.paint(box, spleen, 0.9 * patient.liver_hu + 5 + 4 * grain, ORGANS["spleen"])
    for centre, radii_ in (
        ((-92, 34, -86 + patient.lift), (20, 22, 17)),
        ((-40, 62, -92 + patient.lift), (34, 15, 16)),
    ):
        canvas.ellipsoid(centre, radii_, 35, ORGANS["soft_tissue"])
        canvas.ellipsoid(np.add(centre, (0, 3, 2)), np.subtract(radii_, 4), -900 if patient.gas < 0.3 else 10)


def paint_kidneys(canvas: Canvas, patient: Patient) -> None:
    """Paint kidneys with cortex, medulla and the fat of the sinus, and the adrenal glands above them."""
    for side, height in ((1, -104), (-1, -92)):
        centre = np.array([side * 58.0, -44.0, height + patient.lift])
        turn = rotation(-10, side * 10, side * 25)
        canvas.ellipsoid(centre, (40, 38, 60), -106, ORGANS["fat"], turn)
        canvas.ellipsoid(centre, (27, 25, 52), patient.kidney_hu, ORGANS["kidney"], turn)
        canvas.ellipsoid(centre - (side * 3, 0, 0), (17, 16, 40), 30 + 0.4 * (patient.kidney_hu - 30), None, turn)
        canvas.ellipsoid(centre - (side * 12, -6, 0), (12, 6, 13), -90, None, turn)
        top = np.array([centre[0] - side * 18, -26.0, height + patient.lift + 60.0])
        canvas.tube([np.add(top, (0, 8, 8)), top, np.add(top, (side * 12, -10, -6))], 3.0, 40, ORGANS["soft_tissue"])
    canvas.tube([(28, 18, -104), (0, 24, -90), (-40, 0, -80), (-84, -18, -70)], [14, 10, 10, 8], 42)

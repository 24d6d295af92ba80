"""Spine, ribs, sternum and shoulder girdle of the reference anatomy."""

from __future__ import annotations

import numpy as np

from .patient import ORGANS, Patient
from .shapes import Array, Canvas, choose, rotation

BONE = ORGANS["bone"]
PERIOD = 25.0  # mm from one vertebra, and one rib, to the next


def spine_line(z: Array | float, patient: Patient) -> Array:
    """Depth y (mm) of the centres of the vertebral bodies at height z: kyphosis above, lordosis below."""
    bow = 0.0005 + 0.0004 * patient.kyphosis
    return np.asarray(-54 - 2 * patient.kyphosis + bow * (np.asarray(z, np.float32) - 55) ** 2, dtype=np.float32)


def paint_spine(canvas: Canvas, patient: Patient, texture: Array) -> None:
    """Paint vertebral bodies, discs, canal, arches, transverse and spinous processes, repeated every 25 mm."""
    box = canvas.box((-42, -125, -400), (42, 0, 400))
    x, y, z = canvas.points[(slice(None), *box)]
    grain = texture[box]
    x = x - patient.scoliosis * np.sin(z / 60)
    y = y - spine_line(z, patient)
    phase = ((z - patient.vertebra) / PERIOD) % 1
    width = 17 - 0.03 * z
    depth = 0.78 * width
    waist = 1.8 * np.sin(np.pi * phase)
    body = (np.sqrt((x / width) ** 2 + (y / depth) ** 2) - 1) * depth + waist
    plate = np.abs(phase - 0.5) * PERIOD
    canvas.paint(box, body, 85 + 10 * grain)
    canvas.paint(box, np.maximum(body, plate - 9.8), 420, BONE)
    canvas.paint(box, np.maximum(body + 3, plate - 7.5), 190 + 35 * grain)

    behind = y + depth + 9
    ring = np.sqrt((x / 1.15) ** 2 + behind**2)
    arch = np.maximum(ring - 14.5, np.abs(phase - 0.45) * PERIOD - choose(behind < -3, 9.5, 5.5))
    canvas.paint(box, arch, 380, BONE)
    wings = np.maximum(np.maximum(np.abs(x) - 35, np.abs(behind + 4 + 0.12 * np.abs(x)) - 4.5), np.abs(plate) - 5)
    canvas.paint(box, wings, 300, BONE)
    slant = ((z - patient.vertebra - 0.55 * (behind + 12)) / PERIOD) % 1
    spinous = np.maximum(np.maximum(np.abs(x) - 3.6, np.abs(behind + 26) - 17), np.abs(slant - 0.45) * PERIOD - 8)
    canvas.paint(box, spinous, 330, BONE)
    canvas.paint(box, ring - 9.5, -40)
    canvas.paint(box, ring - 7, 30, ORGANS["soft_tissue"])


def paint_ribs(canvas: Canvas, patient: Patient, cavity: Array) -> None:
    """Paint twelve pairs of ribs on the wall of the chest, and the cartilage that joins ten of them to the sternum.

    ``cavity`` is the distance to the chest cavity at every voxel; ribs fall from the spine to the front,
    the lower ones by 115 mm.
    """
    wall = np.flatnonzero((cavity > -2) & (cavity < 15))
    x, y, z = canvas.points.reshape(3, -1)[:, wall]
    depth = cavity.reshape(-1)[wall]
    angle = np.arctan2(np.abs(x), -(y + 4))
    slope = 58 - 0.2 * np.maximum(z - 30, 0)
    course = (z + slope * (1 - np.cos(angle)) - 10 - patient.vertebra) / PERIOD
    number = np.floor(course)
    across = np.abs(course - number - 0.5) * PERIOD
    margin = -95 + 125 * (angle - np.pi / 2) / (np.pi / 2)
    rib = np.maximum(np.abs(depth - 5) - 4, across - 6.2)
    rib = np.maximum(rib, margin - z)
    rib = np.maximum(rib, (0.2 - angle) * 60)
    rib = choose((number > 6) | ((number < -3) & (angle > 1.7)), 50, rib)
    cartilage = angle > 2.2 + 0.04 * number
    rib = choose(cartilage & (np.abs(x) < 16), 50, rib)
    hu = choose(cartilage, 120, choose(rib > -2.2, 480, 210))
    weight = np.clip(0.5 - rib / canvas.blur, 0, 1).astype(np.float32)
    flat = canvas.hu.reshape(-1)
    flat[wall] += weight * (hu - flat[wall])
    canvas.labels.reshape(-1)[wall[(rib < 0) & ~cartilage]] = BONE


def paint_sternum(canvas: Canvas, cavity: Array) -> None:
    """Paint manubrium and body of the sternum with their marrow, on the front wall of the chest."""
    box = canvas.box((-35, 40, 20), (35, 110, 150))
    x, _, z = canvas.points[(slice(None), *box)]
    half = choose(z > 108, 12 + 0.3 * (z - 108), 17 - 0.03 * (z - 40))
    height = np.abs(z - 86) - choose(z > 86, 54, 46)
    shell = np.abs(cavity[box] - 7) - 5.5
    distance = np.maximum(np.maximum(np.abs(x) - half, shell), height)
    distance = choose(np.abs(z - 108) < 1.5, np.maximum(distance, 0.5), distance)
    canvas.paint(box, distance, 370, BONE)
    canvas.paint(box, distance + 2.8, 140)


def paint_shoulders(canvas: Canvas) -> None:
    """Paint clavicles, scapulae and the heads of the humeri, for arms raised above the head."""
    for side in (-1, 1):
        clavicle = [(side * 17, 58, 132), (side * 60, 52, 150), (side * 105, 18, 166), (side * 135, -12, 176)]
        canvas.tube(clavicle, 6.0, 400, BONE)
        canvas.tube(clavicle, 3.0, 180)
        for height, radius in ((105, 3.2), (70, 2.6)):
            spread = 0.25 * (105 - height)
            plate = rotation(-12, side * 14, side * 42)
            canvas.ellipsoid((side * (104 + spread), -72, height + 8), (38, radius, 48), 330, BONE, plate)
        canvas.tube([(side * 78, -92, 118), (side * 112, -88, 136), (side * 140, -58, 150)], 4.5, 400, BONE)
        canvas.ellipsoid((side * 148, -28, 176), (21, 21, 23), 420, BONE)
        canvas.ellipsoid((side * 148, -28, 176), (17, 17, 19), 170)

"""A page that shows what a scan of a folder found: one static file, to be looked at in any browser."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils.files import write_atomic

HEIGHT = 110
LEGEND = (
    "Volumes: first, middle and last axial slice as radiologists look at them, the patient's right on the left, and "
    "the middle coronal slice, head up. Whatever is turned, cut or dark here is so in training; each image is shown in "
    "the range of its own values."
)
STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1500px; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: .5em 0 1.5em; }
th, td { border-bottom: 1px solid #ddd; padding: .25em .9em .25em 0; text-align: left; vertical-align: top; }
.images { display: flex; flex-wrap: wrap; gap: 10px; }
figure { margin: 0; padding: 6px; background: #f3f3f3; max-width: 720px; }
figure.odd { background: #fde3c8; }
figure img { height: 110px; margin-right: 4px; background: #000; image-rendering: pixelated; }
figcaption { font-size: 12px; overflow-wrap: anywhere; width: 0; min-width: 100%; }
"""


@dataclass(frozen=True)
class Shown:
    """An image of the page: its name, lines about it, pictures as bytes of 8 bits, and what looks odd."""

    name: str
    facts: str
    pictures: Sequence[np.ndarray] = ()
    oddities: Sequence[str] = field(default_factory=tuple)


def thumbnails(array: np.ndarray, spacing: Sequence[float], window: tuple[float, float]) -> list[np.ndarray]:
    """Return pictures (rows, columns) of 8 bits, 110 rows high and with square pixels.

    Of a volume in RAS these are its first, middle and last axial slice, the patient's right on the left and the front
    at the top, and the middle coronal slice, head at the top; a 2D image (x, y) is shown whole.

    Args:
        array: the image.
        spacing: mm per axis.
        window: values that become black and white.
    """
    if array.ndim == 2:
        return [_picture(array.T, spacing[1], spacing[0], window)]
    places = (0, array.shape[2] // 2, array.shape[2] - 1)
    axial = [_picture(array[::-1, ::-1, place].T, spacing[1], spacing[0], window) for place in places]
    return [*axial, _picture(array[::-1, array.shape[1] // 2, ::-1].T, spacing[2], spacing[0], window)]


def _picture(pixels: np.ndarray, row: float, column: float, window: tuple[float, float]) -> np.ndarray:
    low, high = window
    grey = ((pixels.astype(np.float32) - low) / max(high - low, 1e-30)).clip(0, 1) * 255
    width = max(1, round(HEIGHT * pixels.shape[1] * column / (pixels.shape[0] * row)))
    picture = Image.fromarray(grey.astype(np.uint8)).resize((min(width, 4 * HEIGHT), HEIGHT), Image.Resampling.BOX)
    return np.asarray(picture)


def write_page(
    path: str | Path,
    title: str,
    summary: Sequence[str],
    table: Sequence[Mapping[str, object]],
    left_out: Iterable[str],
    images: Sequence[Shown],
    not_shown: int = 0,
) -> Path:
    """Write the page.

    Args:
        path: the HTML file.
        title: what was scanned.
        summary: sentences above all else.
        table: rows of images by format, with the same columns.
        left_out: lines of what was left out.
        images: what is shown, those that look odd first.
        not_shown: number of further images.
    """
    odd = sorted(images, key=lambda image: not image.oddities)
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title><style>{STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in summary),
        _table(table),
        "<h2>Left out</h2>",
        f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in left_out) or '<li>nothing</li>'}</ul>",
        f"<h2>Images</h2><p>{LEGEND}</p>",
        f"<div class='images'>{''.join(map(_figure, odd))}</div>",
        f"<p>{not_shown} more images are not shown.</p>" if not_shown else "",
        "</html>\n",
    ]
    return write_atomic(path, lambda file: file.write("\n".join(filter(None, parts)).encode()))


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(value))}</td>' for value in row.values())}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _figure(image: Shown) -> str:
    pictures = "".join(f"<img alt='' src='data:image/png;base64,{_png(each)}'>" for each in image.pictures)
    odd = "".join(f"<br><b>{escape(text)}</b>" for text in image.oddities)
    kind = " class='odd'" if image.oddities else ""
    caption = f"<figcaption><b>{escape(image.name)}</b> {escape(image.facts)}{odd}</figcaption>"
    return f"<figure{kind}>{pictures}{caption}</figure>"


def _png(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()

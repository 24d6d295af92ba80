"""Whole images of a data list, by path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .records import Datalist


def image_records(datalist: Datalist, dataset_dir: str | Path) -> list[dict[str, Any]]:
    """Return ``{"image": path, "id"}`` of every image of a data list, for MONAI's readers."""
    return [{"image": str(Path(dataset_dir) / record["image"]), "id": record["id"]} for record in datalist.records]

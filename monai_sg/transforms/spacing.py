"""MONAI's ``Spacingd`` for dictionaries that hold more than images."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Spacingd


class SafeSpacingd(Spacingd):
    """``Spacingd`` that leaves entries such as ``image_path`` alone.

    Since MONAI 1.6.0 ``Spacingd`` updates every entry whose name begins with ``<key>_`` as if it were metadata. MONAI
    Label puts the text ``image_path`` beside ``image``, on which that fails.
    """

    def __call__(self, data: Mapping[Hashable, Any], *args: Any, **kwargs: Any) -> dict[Hashable, Any]:
        """Return the dictionary with its images resampled."""
        prefixes = tuple(f"{key}_" for key in self.keys)
        others = {
            name: value
            for name, value in data.items()
            if str(name).startswith(prefixes) and not isinstance(value, dict)
        }
        kept = {name: value for name, value in data.items() if name not in others}
        return {**super().__call__(kept, *args, **kwargs), **others}

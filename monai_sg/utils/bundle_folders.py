"""Where the bundles lie, in a checkout and in an installed package."""

from __future__ import annotations

import difflib
from pathlib import Path

from .errors import AbsentError

CHECKOUT = Path(__file__).parents[2] / "bundles"
INSTALLED = Path(__file__).parents[1] / "_bundles"

PRETRAINING = "semantic_genesis_ct_pretraining"
SEGMENTATION = "lcs_liver_ct_segmentation"


def bundle_names() -> list[str]:
    """Return the names of the bundles there are."""
    files = [file for folder in (CHECKOUT, INSTALLED) for file in folder.glob("*/configs/metadata.json")]
    return sorted({file.parent.parent.name for file in files})


def bundle_root(name: str) -> Path:
    """Return the folder of a bundle, in the checkout or in the installed package.

    Raises:
        AbsentError: there is no such bundle; the sentence names the nearest one and lists those there are.
    """
    for folder in (CHECKOUT, INSTALLED):
        if (folder / name / "configs" / "metadata.json").is_file():
            return folder / name
    known = bundle_names()
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else ""
    raise AbsentError(f"There is no bundle {name!r}; there are {', '.join(known) or 'none'}.{hint}")

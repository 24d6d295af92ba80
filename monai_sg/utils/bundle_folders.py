"""Where the bundles lie, in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).parents[2] / "bundles"
INSTALLED = Path(__file__).parents[1] / "_bundles"


def bundle_root(name: str) -> Path:
    """Return the folder of a bundle, in the checkout or in the installed package.

    Raises:
        FileNotFoundError: there is no such bundle; the sentence lists those there are.
    """
    for folder in (CHECKOUT, INSTALLED):
        if (folder / name / "configs" / "metadata.json").is_file():
            return folder / name
    known = sorted(path.parent.parent.name for path in CHECKOUT.glob("*/configs/metadata.json"))
    known += sorted(path.parent.parent.name for path in INSTALLED.glob("*/configs/metadata.json"))
    raise FileNotFoundError(f"There is no bundle {name!r}; there are {', '.join(known) or 'none'}.")

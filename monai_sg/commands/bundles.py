"""Build the bundles of a checkout, and pack one so that it can travel."""

from __future__ import annotations


def build(*, output: str | None = None, source: str | None = None) -> str:
    """Write every bundle that has a recipe; what is committed is what this writes.

    Args:
        output: folder of the bundles; that of the checkout without it.
        source: folder of fragments and recipes; bundles/_src of the checkout without it.

    Returns:
        the files written.
    """
    from ..bundles.build import build as build_bundles

    return "\n".join(build_bundles(output, source))


def pack(name: str, *, output: str = "dist") -> str:
    """Write a bundle as a folder and as a zip, neither of which needs an installed monai_sg.

    Where weights are packed, the configs get the settings that model.json says they were made with.

    Args:
        name: a bundle of this package; with a slash in it, the folder of any bundle.
        output: folder to write NAME/, NAME_vVERSION.zip and NAME_vVERSION.zip.sha256 to.

    Returns:
        a summary.
    """
    from ..pack import pack as pack_bundle

    return pack_bundle(name, output=output)

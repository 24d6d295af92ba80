"""From a folder of images to a pre-trained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..reports.pretraining import draw_pretraining
from ..runs.chain import BUNDLE, STAGES, Chain, places


def pretrain(
    *,
    data: str,
    output: str,
    bundle: str = BUNDLE,
    preset: str = "default",
    only: str | None = None,
    dry_run: bool = False,
    **overrides: Any,
) -> str:
    """Discover patterns in a folder of unlabelled images and pre-train a network on them.

    Runs autoencoder.json, discover.json, classify.json and train.json of the bundle. Stages that have finished are
    skipped and an interrupted one continues, so the same command resumes.

    Args:
        data: folder with the images, searched with all its sub-folders.
        output: folder for everything that is written; the weights are in models/model.pt.
        bundle: name of a pre-training bundle.
        preset: default; paper, as the publication describes the method; or release, as the released code does it.
        only: one stage to run: autoencoder, discover, classify or train.
        dry_run: only say which `monai.bundle run` commands would be run.
        overrides: ids of the configs with their values, such as --width 8 --crop_size "[32,32,16]"; each goes to every
            config that takes it.

    Returns:
        what was written, or the commands.
    """
    chain = Chain(bundle, {**places(data, output), "preset": preset, **overrides}, STAGES if only is None else (only,))
    if dry_run:
        return "\n".join(chain.commands())
    chain.run()
    if only is not None:
        return f"{only} has finished in {output}."
    pictures = draw_pretraining(chain, Path(output) / "figures")
    weights = Path(output) / "models" / "model.pt"
    return "\n".join([f"weights  {weights}", *(f"picture  {path}" for path in pictures)])

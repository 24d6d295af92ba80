"""From a folder of images to a pre-trained network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .chain import STAGES, Chain

BUNDLE = "semantic_genesis_ct_pretraining"


def pretrain(
    data: str, output: str, bundle: str = BUNDLE, only: str | None = None, dry_run: bool = False, **overrides: Any
) -> str:
    """Discover patterns in a folder of unlabelled images and pre-train a network on them.

    Runs autoencoder.json, discover.json, classify.json and train.json of the bundle. Stages that have finished are
    skipped and an interrupted one continues, so the same command resumes.

    Args:
        data: folder with the images, searched with all its sub-folders.
        output: folder for everything that is written; the weights are in models/model.pt.
        bundle: name of a pre-training bundle.
        only: one stage to run: autoencoder, discover, classify or train.
        dry_run: only say which `monai.bundle run` commands would be run.
        overrides: ids of the configs with their values, such as --width 8 --crop_size "[32,32,16]"; each goes to every
            config that has the id.

    Returns:
        what was written, or the commands.
    """
    folder = Path(os.path.abspath(output))
    places = {
        "dataset_dir": os.path.abspath(data),
        "output_dir": str(folder),
        "ckpt_dir": str(folder / "models"),
    }
    chain = Chain(bundle, {**places, **overrides}, STAGES if only is None else (only,))
    if dry_run:
        return "\n".join(chain.commands())
    chain.run()
    return f"The weights are in {folder / 'models' / 'model.pt'}."

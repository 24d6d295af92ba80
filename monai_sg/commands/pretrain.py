"""From a folder of images to a pre-trained network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils.bundle_folders import PRETRAINING
from ..utils.files import absolute
from .written import Written

if TYPE_CHECKING:
    from ..runs.chain import Chain


def pretrain(
    *,
    data: str,
    output: str,
    bundle: str = PRETRAINING,
    preset: str = "default",
    only: str | None = None,
    dry_run: bool = False,
    print_config: bool = False,
    **overrides: Any,
) -> Written | str:
    """Discover patterns in a folder of unlabelled images and pre-train a network on them.

    Runs the stages of the bundle one after the other. Stages that have finished are skipped and an interrupted one
    continues, so the same command resumes.

    Args:
        data: folder with the images, searched with all its sub-folders.
        output: folder for everything that is written; the weights are in models/model.pt.
        bundle: name of a pre-training bundle.
        preset: default; paper, as the publication describes the method; or release, as the released code does it.
        only: one stage to run.
        dry_run: only say which `monai.bundle run` commands would be run.
        print_config: only print the config of each stage as JSON, with all overrides in it.
        overrides: ids of the configs with their values, such as --width 8 --crop_size "[32,32,16]"; each goes to every
            config that takes it.

    Returns:
        what was written, or the commands or configs.
    """
    from ..runs.chain import STAGES, Chain, places
    from ..runs.shown_config import config_text

    chain = Chain(bundle, {**places(data, output), "preset": preset, **overrides}, STAGES if only is None else (only,))
    if dry_run:
        return "\n".join(chain.commands())
    if print_config:
        return config_text({stage: chain.workflow(stage) for stage in chain.stages})
    chain.run()
    return _written(chain, absolute(output)) if only is None else f"{only} has finished in {absolute(output)}."


def _written(chain: Chain, folder: Path) -> Written:
    from ..reports.pretraining import draw_pretraining

    return Written(weights=folder / "models" / "model.pt", picture=draw_pretraining(chain, folder / "figures"))

"""From labelled images and weights to a network for a task."""

from __future__ import annotations

from typing import Any

from ..utils.bundle_folders import SEGMENTATION
from ..utils.files import absolute
from .written import Written


def finetune(
    *,
    data: str,
    output: str,
    weights: str | None = None,
    bundle: str = SEGMENTATION,
    preset: str = "default",
    print_config: bool = False,
    **overrides: Any,
) -> Written | str:
    """Train a network on labelled images, from pre-trained weights or from scratch.

    Runs train.json of the bundle. Width, number of axes and intensities are those that the description beside the
    weights (models/model.json) names. The same command goes on with a run that was interrupted.

    Args:
        data: folder with images and label maps.
        output: folder for everything that is written; the weights are in models/model.pt.
        weights: file to start from, such as models/model.pt of a pre-training run; from scratch without it.
        bundle: name of a fine-tuning bundle.
        preset: default; or paper, as the publications fine-tune.
        print_config: only print the config as JSON, with all overrides in it.
        overrides: ids of train.json with their values, such as --epochs 50.

    Returns:
        what was written, or the config.
    """
    from ..runs.fine_tuning import fine_tuning_workflow
    from ..runs.shown_config import config_text

    workflow = fine_tuning_workflow(bundle, weights, data, output, {"preset": preset, **overrides})
    if print_config:
        return config_text({"train": workflow})
    workflow.run()
    workflow.finalize()
    folder, train = absolute(output), absolute(output) / "train"
    table, arguments = train / "metrics.csv", train / "arguments.json"
    return Written(weights=folder / "models" / "model.pt", curves=table, settings=arguments)

"""Use what a training left on images without labels."""

from __future__ import annotations

from typing import Any

from ..utils.files import absolute
from .written import Written


def predict(
    *,
    run: str,
    data: str,
    output: str | None = None,
    bundle: str | None = None,
    print_config: bool = False,
    **overrides: Any,
) -> Written | str:
    """Let the network of a finished training answer for every image of a folder.

    Runs inference.json of the bundle with the settings that the training left in train/arguments.json.

    Args:
        run: output folder of the training.
        data: folder with the images.
        output: folder for what is predicted; that of the training without it.
        bundle: name of the bundle that was trained; known to the run.
        print_config: only print the config as JSON, with all overrides in it.
        overrides: ids of inference.json with their values, such as --overlap 0.25.

    Returns:
        where the predictions are, or the config.
    """
    from ..runs.saved_run import SavedRun
    from ..runs.shown_config import config_text

    saved = SavedRun(run, bundle)
    folder = saved.folder if output is None else absolute(output)
    places = {"dataset_dir": str(absolute(data)), "output_dir": str(folder)}
    workflow = saved.workflow(["inference.json"], places, overrides)
    if print_config:
        return config_text({"inference": workflow})
    workflow.run()
    workflow.finalize()
    return Written(predictions=folder)

"""Measure what a training left on images that it has not seen."""

from __future__ import annotations

import logging
from typing import Any

from ..utils.files import absolute
from .written import Written


def evaluate(
    *,
    run: str,
    data: str | None = None,
    bundle: str | None = None,
    print_config: bool = False,
    **overrides: Any,
) -> Written | str:
    """Measure the network of a finished training on its test images.

    Runs evaluate.json of the bundle with the settings that the training left in train/arguments.json.

    Args:
        run: output folder of the training.
        data: folder with the images, if they have moved since the training.
        bundle: name of the bundle that was trained; known to the run.
        print_config: only print the config as JSON, with all overrides in it.
        overrides: ids of train.json with their values.

    Returns:
        a table of measures, and what was written; or the config.
    """
    from ..handlers import metric_lines
    from ..runs.saved_run import SavedRun
    from ..runs.shown_config import config_text

    saved = SavedRun(run, bundle)
    moved = {} if data is None else {"dataset_dir": str(absolute(data))}
    workflow = saved.workflow(["train.json", "evaluate.json"], moved, overrides)
    if print_config:
        return config_text({"evaluate": workflow})
    logging.getLogger(metric_lines.__name__).setLevel(logging.WARNING)  # they are returned
    workflow.run()
    workflow.finalize()
    files = {"cases": saved.cases} if saved.cases.is_file() else {}
    return Written(saved.measures(workflow), **files)

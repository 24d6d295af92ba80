"""Fine-tune from several weights and from scratch, and measure all beside answers that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..utils.bundle_folders import SEGMENTATION, bundle_root
from ..utils.files import absolute


def compare(
    *,
    arm: Sequence[str],
    data: str,
    output: str,
    bundle: str = SEGMENTATION,
    seeds: int = 5,
    epochs: Sequence[int] = (5, 50),
    **overrides: Any,
) -> str:
    """Fine-tune from weights and from scratch over several seeds, with the same labels, and compare on the test images.

    Beside them stand the best threshold, and trees that see a voxel's position, or position and intensity. Finished
    runs are not repeated. The encoder and intensities are those that the model.json beside the weights name.

    Args:
        arm: name=file to start from, such as pre-trained=run/models/model.pt; may be given several times. Commas
            separate files, one for each seed of a pre-training; :encoder at the end fills the encoder only.
        data: folder with images and label maps.
        output: folder for everything that is written.
        bundle: name of a fine-tuning bundle for segmentation.
        seeds: number of seeds; each draws labels, patches and initial weights.
        epochs: of a run, such as 50; or of several, such as [5,20,50]: each is a training of its own, whose learning
            rate falls to 0 within it.
        overrides: ids of the bundle's config with their values, such as --width 8 --label_fraction 0.1.

    Returns:
        the tables and what was written.
    """
    from ..reports.fine_tuning import draw_comparison
    from ..studies.arms import read_arms, shared_overrides
    from ..studies.comparison import CASES, DIFFERENCES, TABLE, run_comparison

    folder, arms = absolute(output), read_arms(arm)
    own = shared_overrides(arms, bundle_root(bundle) / "configs" / "train.json")
    more = {"dataset_dir": str(absolute(data)), **own, **overrides}
    result = run_comparison(bundle, arms, folder, range(seeds), epochs, more)
    tables = [f"table    {folder / name}" for name in (TABLE, CASES, DIFFERENCES)]
    pictures = [f"picture  {path}" for path in draw_comparison(result.runs, folder / "figures")]
    return "\n".join([*result.lines(), "", *tables, *pictures])

"""Fine-tune from weights and from scratch, and measure both beside answers that need no network."""

from __future__ import annotations

from typing import Any

from ..utils.bundle_folders import SEGMENTATION, bundle_root
from ..utils.files import absolute


def compare(
    *,
    weights: str,
    data: str,
    output: str,
    bundle: str = SEGMENTATION,
    seeds: int = 3,
    epochs: int = 50,
    early: int = 5,
    **overrides: Any,
) -> str:
    """Fine-tune from weights and from scratch over several seeds, with the same labels, and compare on the test images.

    Each run is measured after a few epochs and at its end. Beside them stand the best intensity threshold and trees
    that see a voxel's position, or position and intensity. Runs that have finished are not repeated. Settings of the
    encoder and intensities are those that the description beside the weights (models/model.json) names.

    Args:
        weights: file to start from, such as models/model.pt of a pre-training run.
        data: folder with images and label maps.
        output: folder for everything that is written.
        bundle: name of a fine-tuning bundle for segmentation.
        seeds: number of seeds; each draws labels, patches and initial weights.
        epochs: of a whole run.
        early: epochs of a short training, whose learning rate falls to 0 within them.
        overrides: ids of the bundle's config with their values, such as --width 8 --label_fraction 0.1.

    Returns:
        the table and what was written.
    """
    from ..reports.fine_tuning import draw_comparison
    from ..runs.fine_tuning import described_overrides
    from ..studies.comparison import TABLE, run_comparison

    folder, path = absolute(output), absolute(weights)
    own = described_overrides(path, bundle_root(bundle) / "configs" / "train.json")
    more = {"dataset_dir": str(absolute(data)), **own, **overrides}
    result = run_comparison(bundle, path, folder, range(seeds), (early, epochs), more)
    pictures = (f"picture  {path}" for path in draw_comparison(result.runs, folder / "figures"))
    return "\n".join([*result.lines(), "", f"table    {folder / TABLE}", *pictures])

"""Measure how well the frozen features of weights tell labelled boxes, beside answers that need no pre-training."""

from __future__ import annotations

from typing import Any

from ..utils.bundle_folders import PRETRAINING
from ..utils.errors import UserError

BUNDLE = PRETRAINING  # whose ids may be set


def probe(
    *,
    weights: str,
    data: str | None = None,
    boxes: str | None = None,
    labels: str | None = None,
    output: str = "probe",
    per_image: int = 4,
    **overrides: Any,
) -> str:
    """Train two small classifiers on frozen features of labelled boxes or images, and measure them on other patients.

    Features are global averages of the feature maps of all levels of the encoder; the classifiers are the 5 nearest
    neighbours and a logistic regression. What needs no pre-training is measured beside: a random network, position,
    intensities, small pixels. Settings come from the description beside the weights (models/model.json), if any.

    Args:
        weights: plain state dict, such as models/model.pt of a run.
        data: folder with the images, together with --boxes.
        boxes: patterns.json, or a CSV file with the columns id,label and x0,x1,y0,y1,z0,z1 for boxes in voxels.
        labels: labelled folder (imagesTr and labelsTr, or LiTS) instead of --data and --boxes; boxes are drawn around
            what is segmented and elsewhere in the body.
        output: folder for probe.json, probe.csv, the data list and the cache.
        per_image: boxes of each kind that are drawn per image, with --labels.
        overrides: ids of embed.json with their values, such as --crop_size "[32,32,16]".

    Returns:
        a table of balanced accuracies and areas under the ROC curve.
    """
    from ..runs.probing_stage import ProbeSource, probe_weights

    if (labels is None) == (boxes is None) or (data is None) != (boxes is None):
        raise UserError(
            "Give --data DIR with --boxes FILE, or instead --labels DIR, a folder of images and label maps."
        )
    return "\n".join(probe_weights(weights, ProbeSource(data, boxes, labels, per_image), output, overrides))

"""See the whole chain work, from scans to a segmentation, on phantoms or on folders of one's own."""

from __future__ import annotations

from typing import Any

from ..utils.bundle_folders import PRETRAINING

BUNDLE = PRETRAINING  # whose ids may be set


def demo(
    *,
    data: str | None = None,
    labelled: str | None = None,
    output: str = "demo",
    epochs: int | None = None,
    seeds: int = 1,
    check: bool | None = None,
    **overrides: Any,
) -> str:
    """Pre-train a small network in minutes, fine-tune it with few labels, and show what that was good for.

    Args:
        data: folder of CT scans to pre-train on; a phantom cohort is made without it.
        labelled: folder of images and label maps to fine-tune on; a phantom cohort is made if both are left out.
        output: folder for everything that is written.
        epochs: of every stage; a number for each of its own without it.
        seeds: number of seeds of the fine-tuning.
        check: whether to fail when the network restores crops no better than trivial answers, does not tell the
            patterns, or draws the liver no better than a threshold; on for the phantoms.
        overrides: ids of the pre-training configs with their values.

    Returns:
        metrics beside trivial answers, and what was written.
    """
    from .demo_steps import Demo

    return "\n".join(Demo(data, labelled, output, epochs, seeds, check, overrides).run())

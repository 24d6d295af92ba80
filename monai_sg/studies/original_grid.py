"""Answers without a network, scored like networks: on the voxels of the files, by the bundle's own evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from monai.inferers import Inferer

from ..handlers.case_table import METRICS
from ..runs.fine_tuning import FineTuning
from .voxel_baselines import BASELINES, Predict, fit_baselines


class Answer(Inferer):
    """Give the logits of a function of one image in place of a network's.

    Args:
        predict: from an image ``(C, *spatial)`` to probabilities ``(structures, *spatial)``.
    """

    def __init__(self, predict: Predict) -> None:
        super().__init__()
        self.predict = predict

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return logits ``(B, structures, *spatial)``; the network is not called."""
        return torch.stack([torch.logit(self.predict(image), eps=1e-6) for image in inputs])


def score_baselines(run: FineTuning, folder: Path, seed: int) -> dict[str, Path]:
    """Fit answers to the training images of a finished run and evaluate them on its test images.

    Args:
        run: has trained, on the images that the answers may see.
        folder: gets a folder per answer; one that is there is kept.
        seed: of the voxels that the answers are fitted to.

    Returns:
        per name of an answer its table in long form.
    """
    tables = {}
    predictors: dict[str, Predict] | None = None
    for name in BASELINES:
        place = folder / f"{name.replace(' ', '_')}_seed_{seed}"
        tables[name] = place / "evaluation" / METRICS
        if tables[name].is_file():
            continue
        if predictors is None:
            images = run.training_images()
            items = (images.prepared(index) for index in range(len(images)))
            predictors = fit_baselines([(item["image"].float(), item["label"]) for item in items], seed)
        workflow = run.workflow("evaluate", output_dir=str(place))
        evaluator = workflow.parser.get_parsed_content("validate::evaluator")
        evaluator.inferer = Answer(predictors[name])
        evaluator.run()
    return tables

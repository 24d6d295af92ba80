"""The default fine-tuning preset beside the recipe of MONAI's Model Zoo, and trees on position and intensity.

``python -m tests.benchmarks.recipes DATA --set hippocampus --output OUT --seeds 5`` trains all from scratch on the same
images, with as many steps of patches of the same size, and prints means over the test images and paired differences
with intervals. DATA is a folder of images and label maps. What has finished is not run again.

The recipe is that of ``spleen_ct_segmentation``: MONAI's ``UNet`` of 4.8 M parameters, patches drawn half around
foreground and not augmented, ``DiceCELoss`` of a softmax, Adam at a constant rate of 1e-4; and once more at the rate of
the preset, since its own is meant for more steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet

from monai_sg.networks.description import target_of
from monai_sg.runs.fine_tuning import FineTuning
from monai_sg.studies.comparison import Comparison
from monai_sg.studies.original_grid import score_baselines
from monai_sg.utils.bundle_folders import SEGMENTATION

CHANNELS = (16, 32, 64, 128, 256)
OURS, RECIPE, RECIPE_FASTER = "default preset", "Model Zoo recipe", "Model Zoo recipe, rate of the preset"
SHARED: dict[str, Any] = {
    "roi_size": [32, 32, 16],
    "image_size": [],
    "width": 8,
    "batch_size": 4,
    "num_workers": 0,
    "val_interval": 4,
    "overlap": 0.25,
}
SETS: dict[str, dict[str, Any]] = {
    "hippocampus": {
        "structures": {"anterior": [1], "posterior": [2]},
        "known_labels": [0, 1, 2],
        "intensity_range": "percentile",
        "label_fraction": 0.78,
        "patches_per_volume": 1,
        "epochs": 8,
    },
    "sarcoma": {
        "structures": {"tumour": [1]},
        "known_labels": [0, 1],
        "patches_per_volume": 4,
        "epochs": 8,
    },
}


class RecipeUNet(UNet):
    """MONAI's U-Net of a background and some structures, with what a bundle asks of a network.

    In training it gives logits ``(B, 1 + structures, *spatial)``. In evaluation it gives, per structure, how far its
    logit is above the greatest other one, so that 0, a probability of 0.5, is where the answer of the recipe changes.

    Args:
        structures: number of structures.
    """

    stem_key, size_divisor, spatial_dims = "model.0.conv.unit0.conv", 16, 3
    parts: ClassVar[Mapping[str, Sequence[str]]] = {"encoder": ("model",)}

    def __init__(self, structures: int) -> None:
        super().__init__(3, 1, 1 + structures, CHANNELS, (2, 2, 2, 2), num_res_units=2, norm="batch")
        self.structures, self.encoder_channels = structures, list(CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what depends on the mode, see the class."""
        logits: torch.Tensor = super().forward(x)
        if self.training:
            return logits
        others = [[n for n in range(logits.shape[1]) if n != own] for own in range(1, logits.shape[1])]
        best = torch.stack([logits[:, other].amax(1) for other in others], 1)
        return logits[:, 1:] - best

    def forward_features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the answer, as nothing here asks for features."""
        return [self.forward(x)]

    def describe(self) -> dict[str, Any]:
        """Return class and arguments."""
        return {"_target_": target_of(self), "structures": self.structures}


class RecipeLoss(DiceCELoss):
    """The loss of the recipe, given one channel per structure."""

    def __init__(self) -> None:
        super().__init__(
            include_background=False, softmax=True, squared_pred=True, batch=True, smooth_nr=1e-5, smooth_dr=1e-5,
            lambda_dice=0.5, lambda_ce=0.5,
        )  # fmt: skip

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of logits ``(B, 1 + structures, *spatial)``; what no structure covers is background."""
        return super().forward(input, torch.cat([1 - target.amax(1, keepdim=True), target], 1))


def recipe(structures: int, learning_rate: float) -> dict[str, Any]:
    """Return the ids of train.json that make it the recipe."""
    place = "tests.benchmarks.recipes"
    return {
        "network_def": {"_target_": f"{place}.RecipeUNet", "structures": structures},
        "loss": {"_target_": f"{place}.RecipeLoss"},
        "optimizer": {"_target_": "torch.optim.Adam", "params": "$@network.parameters()", "lr": learning_rate},
        "lr_scheduler": {
            "_target_": "torch.optim.lr_scheduler.ConstantLR", "optimizer": "@optimizer", "factor": 1.0,
        },
        "train::random_transforms": [],
        "amp": False,  # in bfloat16 on a CPU its loss was not a number in one of the first steps
        "recalibration::network": {"_target_": "torch.nn.Identity"},  # which has no batch norm to recalibrate
    }  # fmt: skip


def compare(data: Path, settings: Mapping[str, Any], folder: Path, seeds: Sequence[int]) -> Comparison:
    """Train, evaluate and compare, seed by seed; tables are written as results come."""
    number, epochs = len(settings["structures"]), settings["epochs"]
    arms = {OURS: {}, RECIPE: recipe(number, 1e-4), RECIPE_FASTER: recipe(number, 1e-3)}
    places = {"dataset_dir": str(data), "datalist": str(folder / "datalist.json"), "cache_dir": str(folder / "cache")}
    result = Comparison()
    for seed in seeds:
        for name, own in arms.items():
            place = folder / f"{name.replace(', ', ' ').replace(' ', '_')}_seed_{seed}"
            run = FineTuning(
                SEGMENTATION, place, {**SHARED, **places, **settings, **own, "seed": seed, "label_seed": seed}
            )
            run.run()
            key = {"arm": name, "seed": seed, "epochs": epochs}
            result.add(key, run.cases.with_name("metrics.csv"), {"weights": ""})
            if name == OURS:
                trees = score_baselines(run, folder / "baselines", seed)["position and intensity"]
                key = {"arm": "position and intensity", "seed": seed, "epochs": epochs}
                result.add(key, trees, {"weights": ""})
        result.write(folder)
    return result


def main(given: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--set", choices=SETS, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args(given)
    found = compare(args.data.resolve(), SETS[args.set], args.output.resolve(), range(args.seeds))
    print("\n".join(found.lines()))


if __name__ == "__main__":
    main()

"""Measure a pre-trained network on held-out patients, beside answers that need no pre-training."""

from __future__ import annotations

from dataclasses import dataclass

from monai.data import DataLoader
from monai.utils import set_determinism

from ..data.boxes.patterns import pattern_boxes
from ..data.seeded import SeededDataset
from ..probing.frozen_probe import histograms, pooled_features
from ..runs.chain import Chain
from ..utils.errors import UserError
from .pseudo_labels import collect, linear_accuracy

REGIONS = ("all", "inside", "outside")
ANSWERS = {"network": "restored", "mean": "mean of the crop", "median": "median of 3 voxels"}


@dataclass(frozen=True)
class Evaluation:
    """Metrics of `evaluate.json` on one split, and the accuracy of two baselines."""

    split: str
    crops: int
    patients: int
    num_classes: int
    metrics: dict[str, float]
    baselines: dict[str, float]

    @property
    def restoration_ratio(self) -> float:
        """Restoration error as a share of that of the better trivial answer."""
        return self.metrics["mse_network_all"] / min(self.metrics["mse_mean_all"], self.metrics["mse_median_all"])

    @property
    def times_chance(self) -> float:
        """Balanced accuracy of the pseudo labels of clean crops, in multiples of chance."""
        return self.metrics["balanced_accuracy_clean"] * self.num_classes

    def lines(self) -> list[str]:
        """Return a table for reading."""
        lines = [f"{self.crops} crops of {self.patients} {self.split} patients, with fixed corruptions", ""]
        lines.append(f"{'restoration, mean squared error':<44}" + "".join(f"{region:>10}" for region in REGIONS))
        for answer, name in ANSWERS.items():
            values = [self.metrics[f"mse_{answer}_{region}"] for region in REGIONS]
            lines.append(f"  {name:<42}" + "".join(f"{value:>10.4f}" for value in values))
        lines.append(f"  {'share of the better trivial answer':<42}{self.restoration_ratio:>10.2f}")
        lines += ["", f"{f'pseudo label of clean crops, C = {self.num_classes}':<44}{'balanced':>10}{'x chance':>10}"]
        rows = {"network and head": self.metrics["balanced_accuracy_clean"], **self.baselines}
        for name, value in rows.items():
            lines.append(f"  {name:<42}{value:>10.3f}{value * self.num_classes:>10.1f}")
        return lines


def evaluate(chain: Chain) -> Evaluation:
    """Run `evaluate.json` of a finished chain, on test patients, or on validation patients if there are none.

    Raises:
        UserError: there are neither, as training patients tell nothing.
    """
    workflow = chain.workflow("train")
    table = workflow.parser.get_parsed_content("patterns")
    split = next((name for name in ("test", "validation") if getattr(table, name)), None)
    if split is None:
        raise UserError("No test and no validation patient has a pattern, so nothing can be evaluated; add patients.")
    workflow = chain.workflow("train", "evaluate", **{"validate::dataset::data::split": split})
    workflow.run()
    get = workflow.parser.get_parsed_content
    metrics = {name: float(value) for name, value in get("validate::evaluator").state.metrics.items()}
    transform, size = get("train::preprocessing"), get("batch_size")
    exact = [box for box in pattern_boxes(table, "training") if box["scale"] == 1]
    images, labels = collect(DataLoader(SeededDataset(exact, transform), batch_size=size))
    test_images, test_labels = collect(get("validate::dataloader"))
    set_determinism(seed=get("seed"))
    fresh = chain.workflow("train").parser.get_parsed_content("network_def")
    baselines = {
        "logistic regression, intensity histogram": (histograms(images).numpy(), histograms(test_images).numpy()),
        "logistic regression, random network": (pooled_features(fresh, images), pooled_features(fresh, test_images)),
    }
    return Evaluation(
        split=split,
        crops=len(test_labels),
        patients=len({box["id"] for box in pattern_boxes(table, split)}),
        num_classes=table.num_classes,
        metrics=metrics,
        baselines={
            name: linear_accuracy(features, labels, test_features, test_labels)
            for name, (features, test_features) in baselines.items()
        },
    )

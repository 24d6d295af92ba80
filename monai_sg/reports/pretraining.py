"""Figures of a finished pre-training run."""

from __future__ import annotations

from math import nan
from pathlib import Path

import torch
from monai.bundle import ConfigWorkflow
from monai.networks.utils import eval_mode

from ..data.records import PatternTable
from ..discovery.diagnostics import random_crops, sample_crops
from ..engines.pretraining import on_device
from ..handlers.history import read_history
from ..runs.chain import Chain
from ..utils.files import read_json
from ..utils.seeds import generator_for
from .figures import correlation_chart, curve_chart, pattern_montage, restoration_montage

CLASSES = 6
PATIENTS = 5
CROPS = 6


def draw_pretraining(chain: Chain, folder: Path) -> list[Path]:
    """Draw discovered patterns, their correlation, restored crops of held-out patients and learning curves."""
    workflow = chain.workflow("train", "evaluate", **_held_out(chain))
    get = workflow.parser.get_parsed_content
    output = Path(get("output_dir"))
    table: PatternTable = get("patterns")
    cache, images = get("cache"), get("images")
    readable = set(cache.ids)
    training = [record["id"] for record in images.training if record["id"] in readable]
    labels = sorted({round(step * (table.num_classes - 1) / (CLASSES - 1)) for step in range(CLASSES)})
    found = read_json(output / "discover" / "correlation.json")
    within, other = (
        [nan if row[kind] is None else row[kind] for row in found["classes"]] for kind in ("within", "random")
    )
    window = get("intensity_range")
    paths = [
        pattern_montage(
            folder / "patterns.png",
            list(sample_crops(cache, table, labels, PATIENTS, window)),
            list(random_crops(cache, table, labels, PATIENTS, training, intensity_range=window)),
            [(f"class {n}\nr = {within[n]:.2f}", f"random\nr = {other[n]:.2f}") for n in labels],
            "Patterns in the most similar patients (left), the same box in random ones (right);\n"
            "d: distance in features, 1 for the last of the K; r: mean correlation of up to 16 patients",
            distances=[_relative_distances(table.classes[label]["neighbours"]) for label in labels],
            spacing=table.grid["spacing"],
            window=(0.0, 1.0),
        ),
        correlation_chart(
            folder / "correlation.png", within, other, shared_bits=(found["shared_bits"], found["label_bits"])
        ),
        _draw_restorations(workflow, folder / "restorations.png", table.grid["spacing"]),
    ]
    history = read_history(output / "train" / "metrics.csv")
    curves = {name: [row.get(name, nan) for row in history] for name in ("loss", "validation_loss")}
    return [*paths, curve_chart(folder / "curves.png", curves)]


def _relative_distances(neighbours: list[tuple[str, float]]) -> list[float]:
    last = neighbours[-1][1] or 1.0
    return [distance / last for _, distance in neighbours[:PATIENTS]]


def _held_out(chain: Chain) -> dict[str, str]:
    table: PatternTable = chain.workflow("train").parser.get_parsed_content("patterns")
    return {"validate::dataset::data::split": "test" if table.test else "validation"}


def _draw_restorations(workflow: ConfigWorkflow, path: Path, spacing: list[float]) -> Path:
    get = workflow.parser.get_parsed_content
    method, dataset, device = get("method"), get("validate::dataset"), torch.device(get("device"))
    chosen = torch.linspace(0, len(dataset) - 1, min(CROPS, len(dataset))).long().tolist()
    items = [dataset[index] for index in chosen]
    batch = {name: torch.stack([torch.as_tensor(item[name]) for item in items]) for name in ("image", "label")}
    batch = on_device(batch, device, non_blocking=False)
    params = method.sample(batch, *[generator_for(get("seed"), "pictures", device=device)] * 2)
    with eval_mode(method):
        output = method(batch, params)
    original, corrupted, restored = (
        value[:, 0].float().cpu().numpy() for value in (batch["image"], output["corrupted"], output["restored"])
    )
    names = [f"pattern {label}" for label in batch["label"].tolist()]
    return restoration_montage(path, original, corrupted, restored, names, spacing=spacing)

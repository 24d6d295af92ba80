"""A new task, added as CONTRIBUTING says: a folder of pictures with a table of their classes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from monai_sg.bundles.build import build
from monai_sg.runs.workflow import CheckedWorkflow
from tests.bundles.folders import TOP

NAME, LIKE = "stripes_classification", TOP / "_src/dxc_thorax_disease_cxr_classification"
NETWORKS = "monai_sg.networks"
ENCODER = {"_target_": f"{NETWORKS}.genesis_encoder.GenesisEncoder", "spatial_dims": 2, "in_channels": 1, "width": 4}
NETWORK = {"_target_": f"{NETWORKS}.classifier.Classifier", "encoder": ENCODER, "num_classes": "$len(@classes)"}
SETS = [{"_target_": "monai_sg.data.datasets.class_folder.ClassFolder"}]
IDS = {"sets": SETS, "classes": ["lying", "standing"], "multi_label": False, "intensity_range": [0, 255]}
BUNDLE = {"family": "classification", "network": NETWORK, "stages": ["train"], "ids": IDS}
SMALL = {"image_size": [32, 32], "roi_size": [32, 32], "batch_size": 8, "num_workers": 0, "device": "cpu", "amp": False}


def write_task(source: Path) -> None:
    for part in ("core", "families"):
        shutil.copytree(TOP / "_src" / part, source / part)
    shutil.copytree(LIKE, source / NAME)
    shutil.copyfile(TOP.parent / "LICENSE", source.parents[1] / "LICENSE")
    metadata = {**json.loads((LIKE / "metadata.json").read_text()), "name": "Stripes"}
    metadata["network_data_format::outputs::pred::spatial_shape"] = [1, 2]
    (source / NAME / "bundle.json").write_text(json.dumps(BUNDLE))
    (source / NAME / "metadata.json").write_text(json.dumps(metadata))


def write_pictures(folder: Path) -> None:
    generator, rows = np.random.default_rng(0), [["image", "class", "patient"]]
    for number in range(40):
        stripes = np.repeat(generator.integers(0, 255, (32, 1), dtype=np.uint8), 32, axis=1)
        standing = number % 2
        Image.fromarray(stripes.T.copy() if standing else stripes).save(folder / f"{number}.png")
        rows.append([f"{number}.png", ("lying", "standing")[standing], f"p{number}"])
    with open(folder / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_a_new_task_is_built_and_learns(tmp_path: Path) -> None:
    write_task(tmp_path / "bundles" / "_src")
    build(tmp_path / "bundles", tmp_path / "bundles" / "_src")
    (tmp_path / "data").mkdir()
    write_pictures(tmp_path / "data")
    places = {"dataset_dir": str(tmp_path / "data"), "output_dir": str(tmp_path / "o"), "ckpt_dir": str(tmp_path / "m")}
    config = str(tmp_path / "bundles" / NAME / "configs" / "train.json")
    run = CheckedWorkflow(config, workflow_type="train", logging_file=False, epochs=8, **places, **SMALL)
    run.initialize()
    run.run()
    assert run.parser.get_parsed_content("validate::evaluator").state.best_metric > 0.9

"""Two processes train and evaluate the liver bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.multiprocessing import spawn

from monai_sg.utils.files import read_json, write_json
from tests.bundles.folders import config, parser
from tests.bundles.small_liver import BUNDLE, EVALUATE, TRAIN, overrides, run, weights
from tests.bundles.test_distributed import RANKS, digest, free_ports

OVERLAYS = {"train": [*TRAIN, "multi_gpu_train.json"], "evaluate": [*EVALUATE, "multi_gpu_evaluate.json"]}


def run_rank(rank: int, ports: list[int], data: Path, output: Path, facts: Path) -> None:
    """Do what one process of ``torchrun -m monai.bundle run`` does, for training and then for evaluation."""
    from monai.bundle import ConfigWorkflow

    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": str(RANKS), "RANK": str(rank), "LOCAL_RANK": str(rank)}
    for (kind, files), port in zip(OVERLAYS.items(), ports, strict=True):
        os.environ["MASTER_PORT"] = str(port)  # a rank must not meet the store of the run before
        values = overrides(data, output, batch_size=2, epochs=2, freeze_epochs=1)
        own = {name: value for name, value in values.items() if name in parser(BUNDLE, files) and name != "device"}
        workflow = ConfigWorkflow([str(config(BUNDLE, name)) for name in files], logging_file=False, **own)
        workflow.initialize()
        workflow.run()
        get = workflow.parser.get_parsed_content
        found: dict[str, Any] = {
            "metrics": get("validate::evaluator").state.metrics,
            "cases": len(get("validate::dataloader")),
        }
        if kind == "train":
            found |= {
                "wrapped": type(get("train::trainer").network).__name__,
                "parameters": digest(dict(get("network").named_parameters())),
                "buffers": digest(dict(get("network").named_buffers())),
                "loss": get("train::trainer").state.metrics["loss"],
                "items": [index for _, index in get("train::sampler")],
            }
        write_json(facts / f"{kind}_{rank}.json", found)
        workflow.finalize()


@pytest.fixture(scope="module")
def two_ranks(liver_cohort: Path, finished_liver: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Train and evaluate with two processes; three test cases, so that one rank gets more than the other."""
    output, facts = tmp_path_factory.mktemp("liver_ranks"), tmp_path_factory.mktemp("liver_facts")
    datalist = read_json(finished_liver / "datalist.json")
    datalist["test"].append(datalist["training"].pop())
    write_json(output / "datalist.json", datalist)
    spawn(run_rank, (free_ports(len(OVERLAYS)), liver_cohort, output, facts), nprocs=RANKS)
    return output, facts


@pytest.mark.dist
def test_ranks_end_with_the_same_network(two_ranks: tuple[Path, Path]) -> None:
    output, facts = two_ranks
    first, second = (read_json(facts / f"train_{rank}.json") for rank in range(RANKS))
    assert first["wrapped"] == "DistributedDataParallel"
    for name in ("parameters", "buffers", "loss", "metrics"):
        assert first[name] == second[name], name
    assert first["items"] != second["items"]
    assert read_json(output / "run.json")["train"]["finished"]
    assert not any(name.startswith("module.") for name in weights(output))


@pytest.mark.dist
def test_two_ranks_evaluate_like_one(two_ranks: tuple[Path, Path], liver_cohort: Path, tmp_path: Path) -> None:
    output, facts = two_ranks
    values = {"datalist": str(output / "datalist.json"), "ckpt_dir": str(output / "models")}
    alone = run(EVALUATE, liver_cohort, tmp_path, **values)("validate::evaluator").state.metrics
    assert (output / "evaluation/cases.csv").read_text() == (tmp_path / "evaluation/cases.csv").read_text()
    assert len((tmp_path / "evaluation/cases.csv").read_text().splitlines()) == 1 + 3 + 3
    ranks = [read_json(facts / f"evaluate_{rank}.json") for rank in range(RANKS)]
    assert [found["cases"] for found in ranks] == [2, 1]
    for found in ranks:
        assert found["metrics"] == pytest.approx(alone, rel=1e-6, nan_ok=True)

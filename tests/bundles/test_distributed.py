"""Two processes train one network."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser
from torch.multiprocessing import spawn

from monai_sg.handlers.history import read_history
from monai_sg.utils.files import read_json, write_json
from tests.bundles.folders import config, content, parser, workflow
from tests.bundles.small_run import BUNDLE, overrides

RANKS = 2
STAGES = ("classify", "train")


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def digest(tensors: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(value.detach().numpy().tobytes() for value in tensors.values())).hexdigest()


def run_rank(rank: int, ports: list[int], data: Path, output: Path, facts: Path) -> None:
    """Do what one process of ``torchrun -m monai.bundle run`` does, stage after stage."""
    from monai.bundle import ConfigWorkflow

    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": str(RANKS), "RANK": str(rank), "LOCAL_RANK": str(rank)}
    for stage, port in zip(STAGES, ports, strict=True):
        os.environ["MASTER_PORT"] = str(port)  # a rank must not meet the store of the stage before
        files = [f"{stage}.json", "multi_gpu_train.json"]
        values = overrides(data, output, batch_size=4)
        own = {name: value for name, value in values.items() if name in parser(BUNDLE, files) and name != "device"}
        paths = [str(config(BUNDLE, name)) for name in files]
        workflow = ConfigWorkflow(paths, workflow_type="train", logging_file=False, **own)
        workflow.initialize()
        workflow.run()
        get = workflow.parser.get_parsed_content
        method, trainer = get("method"), get("train::trainer")
        found = {
            "wrapped": type(trainer.network).__name__,
            "parameters": digest(dict(method.named_parameters())),
            "head": digest(method.head.state_dict()),
            "state": digest(method.state_dict()),
            "loss": trainer.state.metrics["loss"],
            "validation_loss": get("validate::evaluator").state.metrics["loss"],
            "items": [index for _, index in get("train::sampler")],
        }
        write_json(facts / f"{stage}_{rank}.json", found)
        workflow.finalize()


@pytest.fixture(scope="module")
def two_ranks(finished_run: Path, phantom_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Run stages 1 and 2 on the patterns of the finished run; give the output and what each rank found."""
    output, facts = tmp_path_factory.mktemp("ranks") / "run", tmp_path_factory.mktemp("facts")
    shutil.copytree(finished_run, output, ignore=shutil.ignore_patterns("models", *STAGES))
    done = {name: entry for name, entry in read_json(output / "run.json").items() if name not in STAGES}
    write_json(output / "run.json", done)
    spawn(run_rank, (free_ports(len(STAGES)), phantom_cohort, output, facts), nprocs=RANKS)
    return output, facts


@pytest.mark.dist
@pytest.mark.parametrize("stage", STAGES)
def test_ranks_end_with_the_same_network_and_head(two_ranks: tuple[Path, Path], stage: str) -> None:
    first, second = (read_json(two_ranks[1] / f"{stage}_{rank}.json") for rank in range(RANKS))
    assert first["wrapped"] == "DistributedDataParallel"
    for name in ("parameters", "head", "state", "loss", "validation_loss"):
        assert first[name] == second[name], name
    assert not set(first["items"]) & set(second["items"])


@pytest.mark.dist
@pytest.mark.parametrize("stage", STAGES)
def test_only_rank_zero_writes(two_ranks: tuple[Path, Path], finished_run: Path, stage: str) -> None:
    def kinds(folder: Path) -> list[str]:
        return sorted("events" if path.name.startswith("events") else path.name for path in folder.iterdir())

    assert kinds(two_ranks[0] / stage) == kinds(finished_run / stage)
    assert len(read_history(two_ranks[0] / stage / "history.csv")) == 1
    assert read_json(two_ranks[0] / "run.json")[stage]["finished"]


def test_a_share_smaller_than_a_batch_is_one_step(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    sampler = content(config(BUNDLE, "train.json"))["train"]["sampler"] | {"num_replicas": RANKS, "rank": 1}

    def made(batch_size: int) -> ConfigParser:
        more = {"train::sampler": sampler, "run_dir": str(tmp_path), "batch_size": batch_size}
        return workflow(BUNDLE, ["train.json"], overrides(phantom_cohort, finished_run, **more)).parser

    items = len(made(1).get_parsed_content("train::dataset"))
    get = made(items).get_parsed_content
    assert len(get("train::dataloader")) == get("preflight").steps == 1
    assert get("preflight").items == items
    assert len(next(iter(get("train::dataloader")))["image"]) == -(-items // RANKS)


@pytest.mark.dist
def test_weights_have_plain_names(two_ranks: tuple[Path, Path], finished_run: Path) -> None:
    for name in ("models/model.pt", "train/method.pt"):
        wrapped, plain = (torch.load(run / name, weights_only=True) for run in (two_ranks[0], finished_run))
        assert list(wrapped) == list(plain)
    found = read_json(two_ranks[1] / "train_0.json")
    assert digest(torch.load(two_ranks[0] / "train/method.pt", weights_only=True)) == found["state"]

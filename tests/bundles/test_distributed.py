"""Two processes train one network, and evaluate together."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from monai_sg.handlers.history import read_history
from monai_sg.utils.files import read_json, write_json
from tests.bundles.cases import case, overrides
from tests.bundles.folders import NAMES, config, content, parser, workflow
from tests.bundles.test_runs import without
from tests.ranks import run_ranks

RANKS = 2
Of = Callable[[str], Path]
Ran = tuple[str, Path, Path]


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


def digest(tensors: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(value.detach().numpy().tobytes() for value in tensors.values())).hexdigest()


def trained_by(bundle: str) -> list[tuple[str, ...]]:
    """Return the files of the trainings that two processes run."""
    return [names for names in case(bundle).ranks if "evaluate.json" not in names]


def run_rank(rank: int, bundle: str, ports: list[int], data: Path, output: Path, facts: Path) -> None:
    """Do what one process of ``torchrun -m monai.bundle run`` does, one run after the other."""
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": str(RANKS), "RANK": str(rank), "LOCAL_RANK": str(rank)}
    for (files, more), port in zip(case(bundle).ranks.items(), ports, strict=True):
        os.environ["MASTER_PORT"] = str(port)  # a rank must not meet the store of the run before
        values = overrides(bundle, data, output, **more)
        own = {name: value for name, value in values.items() if name in parser(bundle, files) and name != "device"}
        made = ConfigWorkflow([str(config(bundle, name)) for name in files], logging_file=False, **own)
        made.initialize()
        made.run()
        write_json(facts / f"{'+'.join(files)}_{rank}.json", found_by(made.parser, files in trained_by(bundle)))
        made.finalize()


def found_by(parsed: ConfigParser, trains: bool) -> dict[str, Any]:
    get = parsed.get_parsed_content
    found: dict[str, Any] = {
        "metrics": get("validate::evaluator").state.metrics,
        "cases": len(get("validate::dataloader")),
    }
    if trains:
        trained, trainer = get("trained"), get("train::trainer")
        found |= {
            "wrapped": type(trainer.network).__name__,
            "parameters": digest(dict(trained.named_parameters())),
            "state": digest(trained.state_dict()),
            "loss": trainer.state.metrics["loss"],
            "items": [index for _, index in get("train::sampler")],
        }
    return found


@pytest.fixture(scope="module", params=NAMES)
def ran(
    request: pytest.FixtureRequest, finished_of: Of, cohort_of: Of, tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """Run a bundle with two processes on what its first stages left; give the output and what each rank found."""
    bundle: str = request.param
    facts = tmp_path_factory.mktemp("facts")
    stages = [names[0].removesuffix(".json") for names in trained_by(bundle)]
    output = without(finished_of(bundle), tmp_path_factory.mktemp("ranks") / "run", *stages)
    datalist = read_json(output / "datalist.json")
    if any("evaluate.json" in names for names in case(bundle).ranks):
        moved = datalist["training"].pop()  # an odd number of cases: one rank gets more than the other
        datalist["test"].append(moved)
        datalist["training"] = [each for each in datalist["training"] if each["patient"] != moved["patient"]]
        write_json(output / "datalist.json", datalist)
    ports = free_ports(len(case(bundle).ranks))
    run_ranks(run_rank, bundle, ports, cohort_of(bundle), output, facts, ranks=RANKS)
    return bundle, output, facts


@pytest.mark.dist
def test_ranks_end_with_the_same_network(ran: Ran) -> None:
    bundle, output, facts = ran
    for names in trained_by(bundle):
        first, second = (read_json(facts / f"{'+'.join(names)}_{rank}.json") for rank in range(RANKS))
        assert first["wrapped"] == "DistributedDataParallel"
        for name in ("parameters", "state", "loss", "metrics"):
            assert first[name] == second[name], name
        assert first["items"] != second["items"]
        assert read_json(output / "run.json")[names[0].removesuffix(".json")]["finished"]


@pytest.mark.dist
def test_only_rank_zero_writes(ran: Ran, finished_of: Of) -> None:
    def kinds(folder: Path) -> list[str]:
        return sorted("events" if path.name.startswith("events") else path.name for path in folder.iterdir())

    bundle, output, _ = ran
    for names in trained_by(bundle):
        stage = names[0].removesuffix(".json")
        assert kinds(output / stage) == kinds(finished_of(bundle) / stage)
        assert len(read_history(output / stage / "metrics.csv")) == case(bundle).ranks[names].get("epochs", 1)


@pytest.mark.dist
def test_weights_have_plain_names(ran: Ran, finished_of: Of) -> None:
    bundle, output, _ = ran
    wrapped, plain = (
        torch.load(each / "models" / "model.pt", weights_only=True) for each in (output, finished_of(bundle))
    )
    assert list(wrapped) == list(plain)


@pytest.mark.dist
def test_two_ranks_evaluate_like_one(ran: Ran, cohort_of: Of, tmp_path: Path) -> None:
    bundle, output, facts = ran
    for names in set(case(bundle).ranks) - set(trained_by(bundle)):
        alone = tmp_path / "alone"
        shutil.copytree(output, alone, ignore=shutil.ignore_patterns("evaluation"))
        files = [name for name in names if not name.startswith("multi_gpu")]
        made = workflow(bundle, files, overrides(bundle, cohort_of(bundle), alone))
        made.run()
        made.finalize()
        metrics = made.parser.get_parsed_content("validate::evaluator").state.metrics
        for path in (alone / "evaluation").iterdir():
            assert path.read_text() == (output / "evaluation" / path.name).read_text()
        ranks = [read_json(facts / f"{'+'.join(names)}_{rank}.json") for rank in range(RANKS)]
        assert [found["cases"] for found in ranks] == [2, 1]
        for found in ranks:
            assert found["metrics"] == pytest.approx(metrics, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("bundle", NAMES)
def test_a_share_smaller_than_a_batch_is_one_step(finished_of: Of, cohort_of: Of, tmp_path: Path, bundle: str) -> None:
    sampler = content(config(bundle, "train.json"))["train"]["sampler"] | {"num_replicas": RANKS, "rank": 1}

    def made(batch_size: int) -> ConfigParser:
        more = {"train::sampler": sampler, "run_dir": str(tmp_path), "batch_size": batch_size}
        return workflow(
            bundle, ["train.json"], overrides(bundle, cohort_of(bundle), finished_of(bundle), **more)
        ).parser

    items = made(1).get_parsed_content("train::sampler").total
    get = made(items).get_parsed_content
    assert len(get("train::dataloader")) == get("preflight").steps == 1
    assert get("preflight").items == items
    assert len(next(iter(get("train::dataloader")))["image"]) == -(-items // RANKS)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

from monai_sg.data.records import PatternTable
from monai_sg.handlers.history import read_history
from monai_sg.handlers.resume import Resume
from monai_sg.runs.chain import Chain
from monai_sg.utils.files import read_json
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.bundles.test_runs import without


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


def assert_equal(first: Path, second: Path) -> None:
    one, other = weights(first), weights(second)
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def train(data: Path, output: Path, stop_in_epoch: int | None = None, **more: Any) -> None:
    chain = Chain(BUNDLE, overrides(data, output, **more), ["train"])
    workflow = chain.workflow("train")
    if stop_in_epoch is not None:
        trainer = workflow.parser.get_parsed_content("train::trainer")

        def stop(engine: Engine) -> None:
            if engine.state.epoch == stop_in_epoch:
                raise KeyboardInterrupt

        trainer.add_event_handler(Events.ITERATION_COMPLETED, stop)
        for handler in workflow.parser.get_parsed_content("train::handlers"):
            if isinstance(handler, Resume):
                handler.interval = 0.0
        with pytest.raises(KeyboardInterrupt):
            workflow.run()
    else:
        workflow.run()
    workflow.finalize()


def test_chain_leaves_what_its_documents_promise(finished_run: Path) -> None:
    for name in ("datalist.json", "patterns.json", "run.json", "discover/features.npz", "discover/correlation.json"):
        assert (finished_run / name).is_file(), name
    for stage in ("autoencoder", "classify", "train"):
        assert (finished_run / stage / "method.pt").is_file()
        assert len(read_history(finished_run / stage / "metrics.csv")) == 1
    assert sorted(path.name for path in (finished_run / "models").iterdir()) == ["model.json", "model.pt"]
    assert all(entry["finished"] for entry in read_json(finished_run / "run.json").values())
    network = {name.removeprefix("network."): v for name, v in weights(finished_run / "train/method.pt").items()}
    model = weights(finished_run / "models/model.pt")
    # The network is saved with statistics of clean crops, the method with those of corrupted ones.
    unlike = {name for name, value in model.items() if not torch.equal(value, network[name])}
    assert unlike
    assert unlike <= {name for name in model if name.endswith(("running_mean", "running_var"))}


def test_same_seed_gives_the_same_patterns_byte_for_byte(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path
) -> None:
    output = without(finished_run, tmp_path / "again", "train", "discover", "patterns.json")
    Chain(BUNDLE, overrides(phantom_cohort, output), ["discover"]).run()
    assert (output / "patterns.json").read_bytes() == (finished_run / "patterns.json").read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_number_of_workers_does_not_matter(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path, workers: int
) -> None:
    output = without(finished_run, tmp_path / "w", "train")
    train(phantom_cohort, output, num_workers=workers)
    assert_equal(finished_run / "models/model.pt", output / "models/model.pt")


def test_a_worse_model_after_a_restart_does_not_replace_a_better_one(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path
) -> None:
    output = without(finished_run, tmp_path / "w", "train")
    train(phantom_cohort, output, epochs=3, stop_in_epoch=2)
    best = (output / "models/model.pt").read_bytes()
    state = torch.load(output / "train/state.pt", weights_only=True)
    state["validator"]["best_metric"] = -1.0
    torch.save(state, output / "train/state.pt")
    train(phantom_cohort, output, epochs=3)
    assert (output / "models/model.pt").read_bytes() == best


def test_an_interrupted_run_is_not_continued_with_other_settings(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path
) -> None:
    output = without(finished_run, tmp_path / "o", "train")
    train(phantom_cohort, output, epochs=2, stop_in_epoch=2)
    chain = Chain(BUNDLE, overrides(phantom_cohort, output, learning_rate=0.5, epochs=2), ["train"])
    with pytest.raises(ValueError, match=r"learning_rate was 0\.001, is 0\.5.*another output_dir"):
        chain.run()


def test_finished_stages_are_not_run_again(finished_run: Path, phantom_cohort: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished_run.rglob("*.pt")}
    Chain(BUNDLE, overrides(phantom_cohort, finished_run)).run()
    assert {path: path.stat().st_mtime_ns for path in finished_run.rglob("*.pt")} == before


def test_train_without_patterns_names_what_makes_them(phantom_cohort: Path, tmp_path: Path) -> None:
    chain = Chain(BUNDLE, overrides(phantom_cohort, tmp_path), ["train"])
    with pytest.raises(RuntimeError) as error:
        chain.run()
    assert isinstance(cause(error.value), FileNotFoundError)
    assert "discover.json" in str(cause(error.value))
    assert "pretrain" in str(cause(error.value))


def test_train_without_stage_one_says_how_to_go_without(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path
) -> None:
    output = without(finished_run, tmp_path / "o", "train", "classify")
    with pytest.raises(RuntimeError) as error:
        train(phantom_cohort, output)
    assert "--stage1_path False" in str(cause(error.value))
    train(phantom_cohort, output, stage1_path=False)
    assert (output / "models/model.pt").is_file()


def test_restoration_without_the_head_is_an_overlay(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    output = without(finished_run, tmp_path / "o", "train", "classify")
    chain = Chain(BUNDLE, overrides(phantom_cohort, output), ["train"])
    chain.workflow("train", "method_restoration").run()
    assert not [name for name in weights(output / "train/method.pt") if name.startswith("head.")]
    row = read_history(output / "train/metrics.csv")[0]
    assert row["validation_loss"] == pytest.approx(row["validation_restoration"])


def test_models_genesis_needs_no_patterns(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    output = without(finished_run, tmp_path / "o", "train", "classify")
    (output / "patterns.json").unlink()
    chain = Chain(BUNDLE, overrides(phantom_cohort, output), ["train"])
    few = {f"{part}::dataset::data::per_image": 2 for part in ("train", "validate")}
    workflow = chain.workflow("train", "method_models_genesis", **few)
    workflow.run()
    dataset = workflow.parser.get_parsed_content("train::dataset")
    assert torch.equal(dataset[0, 0]["image"], dataset[0, 0]["image"])
    assert not torch.equal(dataset[0, 0]["image"], dataset[1, 0]["image"])
    facts = read_json(output / "models/model.json")
    assert facts["method"].startswith("Models Genesis")
    assert facts["preprocessing"]["crop_spacing"] == list(dataset.transform.transforms[0].spacing)
    row = read_history(output / "train/metrics.csv")[0]
    assert row["validation_loss"] == pytest.approx(row["validation_restoration"])


def test_a_nan_stops_the_run_with_the_ids(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    output = without(finished_run, tmp_path / "o", "train")
    with pytest.raises(RuntimeError) as error:
        train(phantom_cohort, output, learning_rate=1e30)
    message = str(cause(error.value))
    assert isinstance(cause(error.value), FloatingPointError)
    assert PatternTable.load(output / "patterns.json").training[0]["id"].rsplit(".", 1)[0] in message
    assert not (output / "models").exists()


def cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error

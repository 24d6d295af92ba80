"""The liver bundle learns, stops, resumes and starts from weights as its documents say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

from monai_sg.handlers.history import read_history
from monai_sg.runs.record import RunRecord
from monai_sg.utils.files import read_json, sha256_of
from tests.bundles.families.segmentation import (
    BUNDLE,
    EVALUATE,
    INFERENCE,
    TRAIN,
    cause,
    interrupted,
    made,
    run,
    same,
    weights,
    write_cubes,
)
from tests.bundles.folders import config, content, parser


@pytest.fixture(scope="module")
def cubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cubes(tmp_path_factory.mktemp("cubes"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The prepared images, shared by the runs of this file."""
    return {"cache_dir": str(tmp_path_factory.mktemp("cache"))}


def test_training_learns_and_keeps_the_best_weights(cubes: Path, tmp_path: Path, cache: dict[str, str]) -> None:
    values = {"epochs": 8, "val_interval": 4, "patches_per_volume": 8, "learning_rate": 0.02, **cache}
    run(TRAIN, cubes, tmp_path, **values)
    history = read_history(tmp_path / "train/metrics.csv")
    assert [row["epoch"] for row in history] == list(range(1, 9))
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    best = max(history, key=lambda row: row.get("validation_dice@0.5", 0.0))
    assert best["validation_dice@0.5"] > 0.8
    whole = {"pretrained_path": str(tmp_path / "models/model.pt"), "pretrained_part": ["encoder", "decoder", "head"]}
    saved = made(TRAIN, cubes, tmp_path / "again", **whole, **values)
    evaluator = saved.parser.get_parsed_content("validate::evaluator")
    evaluator.run()
    for name, value in evaluator.state.metrics.items():
        assert value == pytest.approx(best[f"validation_{name}"], rel=1e-6), name


def test_training_leaves_weights_with_their_description(finished_liver: Path) -> None:
    assert sorted(path.name for path in (finished_liver / "models").iterdir()) == ["model.json", "model.pt"]
    facts = read_json(finished_liver / "models/model.json")
    assert (facts["version"], facts["network"]["width"], facts["images"]) == (1, 4, 4)
    assert facts["pretrained"] == {}
    assert facts["preprocessing"]["roi_size"] == [16, 16, 16]
    assert read_json(finished_liver / "run.json")["train"]["finished"]
    assert not list(finished_liver.rglob(".*"))


def test_inference_and_evaluation_take_the_settings_that_a_training_left(finished_liver: Path) -> None:
    arguments = read_json(finished_liver / "train/arguments.json")
    assert (arguments["ckpt_dir"], arguments["width"]) == (str(finished_liver / "models"), 4)
    for names in (INFERENCE, EVALUATE):
        get = parser(BUNDLE, names, {**arguments, "output_dir": str(finished_liver)}).get_parsed_content
        assert get("network").encoder_channels == [8, 16, 32, 64]
        assert get("inferer" if names == INFERENCE else "validate::inferer").roi_size == [16, 16, 16]
    assert arguments.keys() <= {*content(config(BUNDLE, EVALUATE[0]))}


def final_network(data: Path, output: Path, **more: Any) -> dict[str, torch.Tensor]:
    network = run(TRAIN, data, output, **more)("network")
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_killed_twice_and_started_again_ends_bit_for_bit_the_same(
    cubes: Path, tmp_path: Path, cache: dict[str, str]
) -> None:
    values = {"epochs": 4, "freeze_epochs": 1, **cache}
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    expected = final_network(cubes, straight, **values)
    interrupted(cubes, broken, 2, **values)
    interrupted(cubes, broken, 4, **values)
    assert (broken / "train/state.pt").is_file()
    assert same(final_network(cubes, broken, **values), expected)
    assert same(weights(broken), weights(straight))
    history = read_history(straight / "train/metrics.csv")
    assert history[-1]["learning_rate"] < history[0]["learning_rate"]
    assert read_history(broken / "train/metrics.csv") == history


def test_number_of_workers_does_not_matter(cubes: Path, tmp_path: Path, cache: dict[str, str]) -> None:
    for workers in (0, 1, 2):
        run(TRAIN, cubes, tmp_path / str(workers), epochs=2, num_workers=workers, **cache)
    assert same(weights(tmp_path / "1"), weights(tmp_path / "0"))
    assert same(weights(tmp_path / "2"), weights(tmp_path / "0"))


NEVER_BETTER = {"learning_rate": 0.0, "epochs": 9, "patience": 2}


def test_training_stops_after_patience_also_when_it_was_killed(
    cubes: Path, tmp_path: Path, cache: dict[str, str]
) -> None:
    for output, kill in ((tmp_path / "straight", False), (tmp_path / "broken", True)):
        if kill:
            interrupted(cubes, output, 3, **NEVER_BETTER, **cache)
        run(TRAIN, cubes, output, **NEVER_BETTER, **cache)
        assert [row["epoch"] for row in read_history(output / "train/metrics.csv")] == [1, 2, 3]
        assert read_json(output / "run.json")["train"]["finished"]


def test_a_worse_model_after_a_restart_does_not_replace_a_better_one(
    cubes: Path, tmp_path: Path, cache: dict[str, str]
) -> None:
    interrupted(cubes, tmp_path, 2, epochs=3, **cache)
    best = (tmp_path / "models/model.pt").read_bytes()
    state = torch.load(tmp_path / "train/state.pt", weights_only=True)
    state["validator"]["best_metric"] = 2.0
    torch.save(state, tmp_path / "train/state.pt")
    run(TRAIN, cubes, tmp_path, epochs=3, **cache)
    assert (tmp_path / "models/model.pt").read_bytes() == best


def test_an_unfinished_run_is_not_continued_with_other_settings(
    cubes: Path, tmp_path: Path, cache: dict[str, str]
) -> None:
    interrupted(cubes, tmp_path, 2, epochs=2, **cache)
    with pytest.raises(RuntimeError) as error:
        run(TRAIN, cubes, tmp_path, epochs=2, learning_rate=0.5, foreground_share=0.9, **cache)
    assert isinstance(cause(error.value), ValueError)
    sentence = str(cause(error.value))
    assert "foreground_share was 0.5, is 0.9; learning_rate was 0.001, is 0.5" in sentence
    assert "another output_dir" in sentence
    assert len(read_history(tmp_path / "train/metrics.csv")) == 1


def test_a_finished_run_is_repeated_only_when_asked_to(cubes: Path, tmp_path: Path, cache: dict[str, str]) -> None:
    run(TRAIN, cubes, tmp_path, epochs=2, **cache)
    first = weights(tmp_path)
    with pytest.raises(RuntimeError) as error:
        run(TRAIN, cubes, tmp_path, epochs=2, **cache)
    assert "train has finished in" in str(cause(error.value))
    assert "restart True" in str(cause(error.value))
    with pytest.raises(RuntimeError) as error:
        run(TRAIN, cubes, tmp_path, epochs=1, label_fraction=0.5, **cache)
    assert "label_fraction was 1.0, is 0.5" in str(cause(error.value))
    assert same(weights(tmp_path), first)
    run(TRAIN, cubes, tmp_path, epochs=1, label_fraction=0.5, restart=True, **cache)
    assert len(read_history(tmp_path / "train/metrics.csv")) == 1, "it starts anew"
    assert not same(weights(tmp_path), first)
    assert read_json(tmp_path / "models/model.json")["images"] == 2
    assert read_json(tmp_path / "run.json")["train"]["settings"]["label_fraction"] == 0.5


def test_more_epochs_continue_a_finished_run_as_if_it_had_not_stopped(
    cubes: Path, tmp_path: Path, cache: dict[str, str]
) -> None:
    # The cosine ends with the epochs, so that a longer one is another from its beginning.
    constant = {"_target_": "torch.optim.lr_scheduler.ConstantLR", "optimizer": "@optimizer", "factor": 1.0}
    values = {"lr_scheduler": constant, **cache}
    expected = final_network(cubes, tmp_path / "straight", epochs=3, **values)
    run(TRAIN, cubes, tmp_path / "more", epochs=2, **values)
    assert same(final_network(cubes, tmp_path / "more", epochs=3, **values), expected)
    assert same(weights(tmp_path / "more"), weights(tmp_path / "straight"))
    histories = [read_history(tmp_path / name / "train/metrics.csv") for name in ("straight", "more")]
    assert histories[0] == histories[1]
    facts = read_json(tmp_path / "more/run.json")["train"]
    best = max(histories[0], key=lambda row: row["validation_dice@0.5"])
    assert (facts["epochs"], facts["max_epochs"], facts["selected_epoch"]) == (3, 3, best["epoch"])
    assert facts["selected_value"] == pytest.approx(best["validation_dice@0.5"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_statistics", True),
        ("known_labels", [0, 1]),
        ("match_affine", False),
        ("loss::batch", False),
        ("validate::inferer::mode", "constant"),
        ("patience", 3),
    ],
)
def test_a_run_is_known_by_all_that_changes_its_result(
    finished_liver: Path, liver_cohort: Path, name: str, value: Any
) -> None:
    def record(**more: Any) -> RunRecord:
        values = {"epochs": 4, "learning_rate": 0.02, **more}
        found: RunRecord = made(TRAIN, liver_cohort, finished_liver, **values).parser.get_parsed_content("record")
        return found

    assert record(num_workers=1, epochs=9, sw_batch_size=2, device="meta").is_done
    assert not record(**{name: value}).is_done
    with pytest.raises(ValueError, match=f"{name} was .*, is {re.escape(repr(value))}"):
        record(**{name: value}).check()


def test_label_fractions_are_nested_and_count_for_the_validation(
    liver_cohort: Path, tmp_path: Path, cache: dict[str, str]
) -> None:
    kept, validated = [], []
    for fraction in (0.25, 0.5, 0.75, 1.0):
        get = made(TRAIN, liver_cohort, tmp_path, label_fraction=fraction, **cache).parser.get_parsed_content
        kept.append({record["id"] for record in get("train::dataset").data})
        validated.append({record["id"] for record in get("validate::dataset").data})
        assert len(get("train::sampler")) == 2 * len(kept[-1])
    assert [len(ids) for ids in kept] == [1, 2, 3, 4]
    assert kept[0] < kept[1] < kept[2] < kept[3]
    assert [len(ids) for ids in validated] == [1, 1, 2, 2]
    assert validated[0] == validated[1] < validated[2] == {"volume-100", "volume-101"}


def test_each_seed_draws_what_is_its_own(cubes: Path, tmp_path: Path, cache: dict[str, str]) -> None:
    def drawn(**seeds: int) -> tuple[set[str], set[str], float]:
        names = "_".join(f"{name}{value}" for name, value in seeds.items())
        own = {**cache, "datalist": str(tmp_path / f"{names}.json")}
        get = made(TRAIN, cubes, tmp_path, label_fraction=0.5, **seeds, **own).parser.get_parsed_content
        tested = {record["id"] for record in get("images").test}
        weights = next(get("network").parameters())
        return {record["id"] for record in get("train::dataset").data}, tested, float(weights.detach().flatten()[0])

    labels, tested, weight = drawn()
    assert drawn(seed=1)[:2] == (labels, tested)
    assert any(drawn(split_seed=seed)[1] != tested for seed in (1, 2, 3))
    others = [drawn(label_seed=seed) for seed in (1, 2, 3)]
    assert all(other[1:] == (tested, weight) for other in others)
    assert any(other[0] != labels for other in others)


def parts(network: torch.nn.Module) -> dict[str, dict[str, torch.Tensor]]:
    """Return copies of the parameters of the encoder and of all others."""
    found: dict[str, dict[str, torch.Tensor]] = {"encoder": {}, "other": {}}
    for name, value in network.named_parameters():
        found["encoder" if name.startswith("encoder.") else "other"][name] = value.detach().clone()
    return found


def test_frozen_encoder_keeps_its_weights_for_the_epochs_asked_for(
    cubes: Path, tmp_path: Path, cache: dict[str, str]
) -> None:
    one = made(TRAIN, cubes, tmp_path, epochs=3, freeze_epochs=2, **cache)
    network, trainer = (one.parser.get_parsed_content(name) for name in ("network", "train::trainer"))
    seen = [parts(network)]

    def note(_engine: Engine) -> None:
        seen.append(parts(network))

    trainer.add_event_handler(Events.EPOCH_COMPLETED, note)
    one.run()
    for epoch in (1, 2):
        assert same(seen[epoch]["encoder"], seen[0]["encoder"])
        assert not any(torch.equal(value, seen[0]["other"][name]) for name, value in seen[epoch]["other"].items())
    assert not any(torch.equal(value, seen[0]["encoder"][name]) for name, value in seen[3]["encoder"].items())


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("part", ["encoder", "encoder_decoder"])
def test_pretrained_weights_fill_the_part_asked_for(
    finished_run: Path, liver_cohort: Path, tmp_path: Path, part: str, outputs: int
) -> None:
    path = finished_run / "models/model.pt"
    given = torch.load(path, weights_only=True)
    values: dict[str, Any] = {"network_def::out_channels": outputs, "pretrained_part": part}
    scratch = made(TRAIN, liver_cohort, tmp_path, **values).parser.get_parsed_content("network").state_dict()
    network = made(TRAIN, liver_cohort, tmp_path, pretrained_path=str(path), **values).parser.get_parsed_content(
        "network"
    )
    for name, value in network.state_dict().items():
        top = name.split(".", 1)[0]
        filled = top in part.split("_")
        assert torch.equal(value, (given if filled else scratch)[name]), name
    assert {name.split(".", 1)[0] for name in scratch} == {"encoder", "decoder", "head"}


def test_training_from_pretrained_weights_says_so(
    finished_run: Path, liver_cohort: Path, tmp_path: Path, cache: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    path = finished_run / "models/model.pt"
    with caplog.at_level("INFO"):
        run(TRAIN, liver_cohort, tmp_path, pretrained_path=str(path), pretrained_part="encoder", **cache)
    assert any(f"{path}: " in message and "56 of 56 tensors of encoder" in message for message in caplog.messages)
    facts = read_json(tmp_path / "models/model.json")
    assert (facts["pretrained"]["sha256"], facts["training"]["pretrained_part"]) == (sha256_of(path), "encoder")


@pytest.mark.parametrize(("dtype", "scaled"), [(torch.float16, True), (torch.bfloat16, False)])
def test_gradients_are_scaled_for_float16_only(
    cubes: Path,
    tmp_path: Path,
    cache: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    scaled: bool,
) -> None:
    monkeypatch.setattr("monai_sg.engines.precision.amp_dtype", lambda device: dtype)
    get = made(TRAIN, cubes, tmp_path, amp=True, **cache).parser.get_parsed_content
    assert get("train::trainer").amp is scaled


def test_the_mean_loss_is_summed_where_the_loss_is(cubes: Path, tmp_path: Path) -> None:
    metric = made(TRAIN, cubes, tmp_path, device="meta").parser.get_parsed_content("train::key_metric")["loss"]
    metric.update(torch.ones((), device="meta"))
    assert metric.accumulator.device.type == "meta"


def test_a_training_shorter_than_the_interval_of_validation_is_validated_at_its_end(
    liver_cohort: Path, tmp_path: Path
) -> None:
    run(TRAIN, liver_cohort, tmp_path, epochs=1, val_interval=5)
    assert (tmp_path / "models" / "model.pt").is_file()

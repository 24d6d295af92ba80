"""Every config of every bundle runs, and a run survives what happens to runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

from monai_sg.handlers.history import read_history
from monai_sg.handlers.resume import Resume
from monai_sg.utils.files import read_json, write_json
from tests.bundles.cases import STEPS, case, overrides, run, run_stages
from tests.bundles.folders import NAMES, config, content, full_configs, workflow

Of = Callable[[str], Path]
AFTER = [(bundle, names) for bundle, names in STEPS if names in case(bundle).after]


def without(run_dir: Path, target: Path, *stages: str) -> Path:
    """Copy a finished run without some stages, so that they can be run again in another way."""
    shutil.copytree(run_dir, target, ignore=shutil.ignore_patterns("models", *stages))
    done = read_json(target / "run.json")
    write_json(target / "run.json", {name: entry for name, entry in done.items() if name not in stages})
    return target


@pytest.mark.parametrize("bundle", NAMES)
def test_every_config_is_run(finished_of: Of, bundle: str) -> None:
    run_here = {names for each, names in STEPS if each == bundle}
    assert {(name,) for name in full_configs(bundle)} | {("train.json", "evaluate.json")} <= run_here
    output = finished_of(bundle)
    assert sorted(path.name for path in (output / "models").iterdir()) == ["model.json", "model.pt"]
    assert all(entry["finished"] for entry in read_json(output / "run.json").values())
    weights = torch.load(output / "models" / "model.pt", weights_only=True)
    assert all(bool(torch.isfinite(value).all()) for value in weights.values())


@pytest.mark.parametrize(("bundle", "names"), AFTER)
def test_a_config_runs_with_the_weights_and_writes_its_results(
    finished_of: Of, cohort_of: Of, tmp_path: Path, bundle: str, names: tuple[str, ...]
) -> None:
    output = tmp_path / "run"
    shutil.copytree(finished_of(bundle), output)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    run(bundle, names, cohort_of(bundle), output, **case(bundle).after[names])
    written = [path for path in output.rglob("*") if path.is_file() and path not in before]
    assert written
    assert all(path.stat().st_size for path in written)
    for path in (output / "models").iterdir():
        assert path.stat().st_mtime_ns == before[path], "weights are read only"


@pytest.mark.parametrize(("bundle", "name"), [(bundle, name) for bundle in NAMES for name in full_configs(bundle)])
def test_a_config_has_the_properties_of_its_kind(
    finished_of: Of, cohort_of: Of, tmp_path: Path, bundle: str, name: str
) -> None:
    ids = content(config(bundle, name))
    kind = "train" if "train" in ids else "infer" if "evaluator" in ids else None
    values = overrides(bundle, cohort_of(bundle), finished_of(bundle), run_dir=str(tmp_path))
    assert workflow(bundle, [name], values, kind).check_properties() == []


@pytest.mark.parametrize("bundle", NAMES)
def test_random_transforms_can_be_added_by_an_overlay(
    finished_of: Of, cohort_of: Of, tmp_path: Path, bundle: str
) -> None:
    dark = {"_target_": "Lambdad", "keys": "image", "func": "$lambda image: image - 7"}
    more = write_json(tmp_path / "more.json", {"+train::random_transforms": [dark]})
    values = overrides(bundle, cohort_of(bundle), finished_of(bundle), run_dir=str(tmp_path))
    plain, changed = (
        workflow(bundle, ["train.json", *added], values).parser.get_parsed_content("train::dataset")
        for added in ([], [str(more)])
    )
    images = [first(dataset[0])["image"] for dataset in (plain, changed)]
    torch.testing.assert_close(images[1], images[0] - 7)


def first(item: Any) -> Any:
    return item[0] if isinstance(item, list) else item


def interrupted(bundle: str, data: Path, output: Path, epoch: int, **more: Any) -> None:
    """Train, and be killed after the first step of an epoch."""
    made = workflow(bundle, ["train.json"], overrides(bundle, data, output, **more))
    for handler in made.parser.get_parsed_content("train::handlers"):
        if isinstance(handler, Resume):
            handler.interval = 0.0

    def stop(engine: Engine) -> None:
        if engine.state.epoch == epoch:
            raise KeyboardInterrupt

    made.parser.get_parsed_content("train::trainer").add_event_handler(Events.ITERATION_COMPLETED, stop)
    with pytest.raises(KeyboardInterrupt):
        made.run()
    made.finalize()


@pytest.mark.parametrize("bundle", NAMES)
def test_killed_and_started_again_ends_bit_for_bit_the_same(
    finished_of: Of, cohort_of: Of, tmp_path: Path, bundle: str
) -> None:
    data = cohort_of(bundle)
    straight, broken = (without(finished_of(bundle), tmp_path / name, "train") for name in ("straight", "broken"))
    run(bundle, ("train.json",), data, straight, epochs=3)
    interrupted(bundle, data, broken, 2, epochs=3)
    assert (broken / "train" / "state.pt").is_file()
    run(bundle, ("train.json",), data, broken, epochs=3)
    for path in sorted(straight.rglob("*.pt")):
        if path.relative_to(straight).parts[0] in ("models", "train") and path.name != "state.pt":
            one, other = (torch.load(each, weights_only=True) for each in (path, broken / path.relative_to(straight)))
            assert list(one) == list(other)
            assert all(torch.equal(value, other[name]) for name, value in one.items()), path
    assert read_history(straight / "train" / "metrics.csv") == read_history(broken / "train" / "metrics.csv")


@pytest.mark.parametrize("bundle", NAMES)
def test_an_image_that_cannot_be_read_never_ends_a_run(
    finished_of: Of, cohort_of: Of, tmp_path: Path, bundle: str
) -> None:
    data, output = tmp_path / "data", tmp_path / "run"
    shutil.copytree(cohort_of(bundle), data)
    spoilt = read_json(finished_of(bundle) / "datalist.json")["training"][0]
    path = data / (spoilt["image"] if isinstance(spoilt["image"], str) else spoilt["image"][0])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    run_stages(bundle, data, output)
    facts, usual = (read_json(each / "models" / "model.json") for each in (output, finished_of(bundle)))
    assert facts["images"] == usual["images"] - 1

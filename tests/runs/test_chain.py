from __future__ import annotations

import shlex

import pytest

from monai_sg.runs.chain import Chain
from tests.bundles.families.semantic_genesis import BUNDLE


def takers(name: str, value: object, **more: object) -> list[str]:
    """Return the stages whose command line has an override."""
    chain = Chain(BUNDLE, {name: value, **more})
    flag = f"--{name} {shlex.quote(str(value))}"
    return [stage for stage, line in zip(chain.stages, chain.commands(), strict=True) if flag in line]


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("epochs", ["autoencoder", "classify", "train"]),
        ("corruption::shuffle_prob", ["classify", "train"]),
        ("coordinate_rules#candidates", ["discover"]),
        ("discovery::device", ["discover"]),
        ("lr_scheduler::step_size", ["classify", "train"]),
        ("lr_scheduler::cooldown", ["autoencoder"]),
        ("train::handlers::0::_disabled_", ["autoencoder", "classify", "train"]),
    ],
)
def test_an_override_goes_to_every_stage_that_takes_it(name: str, stages: list[str]) -> None:
    assert takers(name, 3) == stages


def test_a_preset_brings_arguments_and_takes_others_away() -> None:
    assert len(takers("corruption::warp_prob", 0.5, preset="release")) == 4
    with pytest.raises(ValueError, match="corruption::warp_prob names no id"):
        Chain(BUNDLE, {"corruption::warp_prob": 0.5})
    with pytest.raises(ValueError, match="corruption::shuffle_prob names no id"):
        Chain(BUNDLE, {"preset": "release", "corruption::shuffle_prob": 0.3})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("epoch", "train.json; did you mean epochs"),
        ("discovery::settings::scale", "discover.json; did you mean discovery::settings::scales"),
        ("corruption::shuffle_pro", "train.json; did you mean corruption::shuffle_prob"),
        ("lr_scheduler::step_siz", "did you mean lr_scheduler::step_size"),
    ],
)
def test_an_override_that_no_stage_takes_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"--{name} names no id of .*{hint}"):
        Chain(BUNDLE, {"epochs": 1, name: 1})


def test_a_stage_may_get_an_override_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    def workflow(self: Chain, stage: str, **more: object) -> None:
        given[stage] = more
        raise InterruptedError

    monkeypatch.setattr(Chain, "workflow", workflow)
    with pytest.raises(InterruptedError):
        Chain(BUNDLE, {}).run(autoencoder={"epochs": 2}, train={"epochs": 3})
    assert given == {"autoencoder": {"epochs": 2}}

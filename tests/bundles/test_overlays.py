"""Overlays change what is there, and what must agree is one id."""

from __future__ import annotations

import pytest

from monai_sg.runs.workflow import check_overrides
from tests.bundles.folders import NAMES, config, content, files, full_configs, overlays, parser, source

OF_MONAI = {"imports", "initialize", "run", "finalize"}
PAIRS = [(bundle, *pair) for bundle in NAMES for pair in overlays(bundle)]


@pytest.mark.parametrize(("bundle", "overlay", "target"), PAIRS)
def test_overlay_adds_no_id(bundle: str, overlay: str, target: str) -> None:
    names = [name.removeprefix("+") for name in content(config(bundle, overlay))]
    shared = set(source(bundle).first_block)  # a config holds only those that change something in it
    check_overrides(str(config(bundle, target)), [name for name in names if name not in OF_MONAI | shared])


@pytest.mark.parametrize(("bundle", "overlay", "target"), PAIRS)
def test_references_of_an_overlay_lead_somewhere(bundle: str, overlay: str, target: str) -> None:
    merged = parser(bundle, [target, overlay])
    merged.parse()
    unused = set(source(bundle).first_block) - set(content(config(bundle, target)))
    for name, item in merged.ref_resolver.items.items():
        if name == "" or name.split("::")[0] in unused:
            continue
        assert merged.ref_resolver.find_refs_in_config(item.get_config(), item.get_id()).keys() <= (
            merged.ref_resolver.items.keys()
        )


@pytest.mark.parametrize("bundle", NAMES)
def test_family_names_all_overlays(bundle: str) -> None:
    assert {name for name, _ in overlays(bundle)} <= set(files(bundle))
    assert {target for _, target in overlays(bundle)} <= set(full_configs(bundle))
    for name in full_configs(bundle):
        assert "run" in content(config(bundle, name)), f"{name} is an overlay that the family does not list"


@pytest.mark.parametrize("bundle", NAMES)
def test_a_mistyped_override_stops_before_anything_is_read(bundle: str) -> None:
    for name in full_configs(bundle):
        assert content(config(bundle, name))["initialize"][0] == "$@command_line"
    assert not [name for name, _ in overlays(bundle) if "initialize" in content(config(bundle, name))]


@pytest.mark.parametrize("bundle", NAMES)
def test_a_preset_names_itself(bundle: str) -> None:
    for path in config(bundle, "train.json").parent.glob("preset_*.json"):
        assert path.stem == f"preset_{content(path)['preset']}"

"""Settings that do not fit stop every config before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bundles.cases import case, overrides
from tests.bundles.families.segmentation import cause
from tests.bundles.folders import NAMES, config, content, full_configs, workflow


@pytest.mark.parametrize("bundle", NAMES)
def test_settings_are_looked_at_after_the_command_line_and_before_data(bundle: str) -> None:
    for name in full_configs(bundle):
        assert content(config(bundle, name))["initialize"][:3] == ["$@command_line", "$@place_check", "$@setting_check"]


@pytest.mark.parametrize(
    ("bundle", "name", "key", "value"), [(bundle, *wrong) for bundle in NAMES for wrong in case(bundle).wrong]
)
def test_a_setting_that_does_not_fit_stops_before_anything_is_read(
    tmp_path: Path, bundle: str, name: str, key: str, value: Any
) -> None:
    values = overrides(bundle, tmp_path / "absent", tmp_path / "run", **{key: value})
    with pytest.raises((RuntimeError, ValueError)) as error:
        workflow(bundle, [name], values)
    assert str(cause(error.value)).startswith(f"{key} = {value!r} does not fit: write ")
    assert not (tmp_path / "run").exists()

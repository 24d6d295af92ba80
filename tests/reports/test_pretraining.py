from __future__ import annotations

from pathlib import Path

from monai_sg.reports.pretraining import draw_pretraining
from monai_sg.runs.chain import Chain
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.reports.test_figures import is_picture


def test_a_finished_run_is_drawn(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    paths = draw_pretraining(Chain(BUNDLE, overrides(phantom_cohort, finished_run)), tmp_path)
    names = ["patterns.png", "correlation.png", "restorations.png", "curves.png"]
    assert [path.name for path in paths] == names
    assert all(is_picture(path) for path in paths)

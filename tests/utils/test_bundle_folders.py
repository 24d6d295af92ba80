from __future__ import annotations

import pytest

from monai_sg.utils.bundle_folders import bundle_root


def test_a_bundle_is_found_by_its_name_and_others_are_listed() -> None:
    name = "semantic_genesis_ct_pretraining"
    assert (bundle_root(name) / "configs" / "train.json").is_file()
    with pytest.raises(FileNotFoundError, match=f"no bundle 'unknown'.*{name}"):
        bundle_root("unknown")

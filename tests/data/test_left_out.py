from __future__ import annotations

import pytest

from monai_sg.data.left_out import warn_of


def test_like_reasons_are_said_three_times_and_the_rest_is_named(caplog: pytest.LogCaptureFixture) -> None:
    warn_of({f"a/{n}.nii": f"has {n} values such as [{n}, 3] in labels/{n}.nii" for n in range(5)} | {"b": "is empty"})
    assert caplog.messages == [
        "a/0.nii has 0 values such as [0, 3] in labels/0.nii; it is left out.",
        "a/1.nii has 1 values such as [1, 3] in labels/1.nii; it is left out.",
        "a/2.nii has 2 values such as [2, 3] in labels/2.nii; it is left out.",
        "2 more are left out for a like reason: a/3.nii, a/4.nii.",
        "b is empty; it is left out.",
    ]

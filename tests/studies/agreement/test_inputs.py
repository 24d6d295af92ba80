from __future__ import annotations

from pathlib import Path

from monai_sg.studies.agreement.inputs import names_of


def test_weights_are_named_by_where_their_paths_differ() -> None:
    paths = [Path("/a/skip_free/autoencoder/model.pt"), Path("/a/u_net/autoencoder/model.pt")]
    assert names_of(paths) == ["skip_free", "u_net"]
    assert names_of([Path("/a/one.pt"), Path("/a/two.pt")]) == ["one", "two"]
    assert names_of(paths[:1]) == ["auto-encoder"]

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from monai_sg.data.cache.volume_cache import VolumeCache
from monai_sg.data.records import Datalist, PatternTable
from monai_sg.discovery.embed import Embedding
from monai_sg.networks.non_skip_unet import NonSkipUNet
from monai_sg.runs import discovery_stage
from monai_sg.runs.discovery_stage import DiscoveryStage
from monai_sg.runs.embedding_stage import EmbeddingStage
from monai_sg.runs.record import RunRecord
from monai_sg.utils.files import read_json
from tests.ranks import run_ranks

MakeCache = Callable[..., VolumeCache]
MakeDatalist = Callable[..., Datalist]
WRITTEN = ("discover/correlation.json", "discover/features.npz", "patterns.json", "run.json")


def stage(cache: VolumeCache, datalist: Datalist, output: Path, **settings: Any) -> DiscoveryStage:
    num_axes = len(cache.shapes[0])
    return DiscoveryStage(
        network=random_network(num_axes),
        datalist=datalist,
        cache=cache,
        output_dir=output,
        overview_size=(16,) * num_axes,
        intensity_range=(-1000, 1000),
        batch_size=2,
        device="cpu",
        record=RunRecord(output / "run.json", "discover", settings),
        settings={"crop_size": (8,) * num_axes, "num_classes": 3, **settings},
    )


def random_network(num_axes: int) -> NonSkipUNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NonSkipUNet(num_axes, width=2)


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in WRITTEN}


@pytest.mark.parametrize("num_axes", [2, 3])
def test_patterns_features_and_correlation_are_written(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path, num_axes: int
) -> None:
    cache = make_cache([(24, 28, 20)[:num_axes]] * 8)
    output = tmp_path / "out"
    table = stage(cache, split_ids(cache.ids, validation=1, test=1), output)()
    assert table == PatternTable.load(output / "patterns.json")
    assert sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()) == sorted(WRITTEN)
    embedding = Embedding.load(output / "discover" / "features.npz")
    assert embedding.ids == cache.ids
    assert embedding.sha256 == table.features_sha256
    assert embedding.features.shape == (8, 32), "the bottleneck only"
    rows = read_json(output / "discover" / "correlation.json")["classes"]
    assert [row["label"] for row in rows] == list(range(table.num_classes))
    assert all(-1 <= row[kind] <= 1 for row in rows for kind in ("within", "random"))
    found = read_json(output / "discover" / "correlation.json")
    assert found["shared_bits"] == 0, "all classes come from the same patients"
    assert found["label_bits"] == pytest.approx(np.log2(table.num_classes))
    assert read_json(output / "run.json")["discover"]["finished"]


def test_the_same_seed_gives_the_same_files(make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path) -> None:
    cache = make_cache([(24, 28, 20)] * 6)
    datalist = split_ids(cache.ids, validation=1)
    for name, seed in {"one": 0, "same": 0, "other": 1}.items():
        stage(cache, datalist, tmp_path / name, seed=seed)()
    assert digests(tmp_path / "one") == digests(tmp_path / "same")
    assert digests(tmp_path / "one")["patterns.json"] != digests(tmp_path / "other")["patterns.json"]


def test_a_class_of_constant_crops_has_no_correlation(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_cache([(24, 28, 20)] * 4)
    monkeypatch.setattr(cache, "read_box", lambda name, box, size: np.zeros(size, dtype=np.float32))
    stage(cache, split_ids(cache.ids), tmp_path / "out")()
    rows = read_json(tmp_path / "out" / "discover" / "correlation.json")["classes"]
    assert {(row["within"], row["random"]) for row in rows} == {(None, None)}


def test_a_folder_of_another_run_is_refused_before_anything_is_read(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_cache([(24, 28, 20)] * 4)
    datalist = split_ids(cache.ids)
    stage(cache, datalist, tmp_path / "out", seed=0)()
    before = digests(tmp_path / "out")
    monkeypatch.setattr(discovery_stage, "embed", lambda *_: pytest.fail("something was read"))
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        stage(cache, datalist, tmp_path / "out", seed=1)()
    assert digests(tmp_path / "out") == before


def test_a_stage_that_fails_is_not_finished(make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path) -> None:
    cache = make_cache([(24, 28, 20)] * 4)
    with pytest.raises(ValueError, match="There is no room for 3 classes"):
        stage(cache, split_ids(cache.ids), tmp_path / "out", crop_size=(24, 28, 20))()
    assert not (tmp_path / "out" / "patterns.json").exists()
    assert not (tmp_path / "out" / "run.json").exists()


def run_stages(cache: VolumeCache, datalist: Datalist, output: Path) -> None:
    stage(cache, datalist, output)()
    arguments = (random_network(3), datalist, cache, output / "features.npz", None, (8,) * 3, (16,) * 3)
    EmbeddingStage(*arguments, intensity_range=(-1000, 1000), batch_size=2, device="cpu")()


def run_rank(rank: int, port: int, cache: VolumeCache, datalist: Datalist, output: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "RANK": str(rank)}
    dist.init_process_group("gloo")
    read: list[str] = []
    overview = cache.overview
    cache.overview = lambda name, size: read.append(name) or overview(name, size)  # type: ignore[method-assign]
    run_stages(cache, datalist, output)
    # Of the batches of 2, 2, 2 and 1 images rank 0 reads the first and third, in either stage.
    assert len(read) == (8, 6)[rank]
    # Whichever rank is done finds the files of both stages whole.
    assert len(Embedding.load(output / "features.npz").ids) == len(cache) - 1
    dist.destroy_process_group()


def test_an_image_that_was_damaged_since_it_was_cached_is_in_no_file(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path
) -> None:
    cache = make_cache([(24, 28, 20)] * 5)
    (cache.cache_dir / "arrays" / "scan002.npy").write_bytes(b"cut off")
    table = stage(cache, split_ids(cache.ids), tmp_path)()
    assert {row["id"] for row in table.training} <= {"scan000", "scan001", "scan003", "scan004"}
    assert (tmp_path / "discover" / "correlation.json").is_file()


@pytest.mark.dist
@pytest.mark.slow
def test_two_ranks_write_the_bytes_of_one_process(
    make_cache: MakeCache, split_ids: MakeDatalist, tmp_path: Path
) -> None:
    cache = make_cache([(24, 28, 20)] * 7)
    (cache.cache_dir / "arrays" / "scan002.npy").write_bytes(b"cut off")
    datalist = split_ids(cache.ids, validation=1)
    run_stages(cache, datalist, tmp_path / "one")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    run_ranks(run_rank, port, cache, datalist, tmp_path / "two")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    names = [folder / "features.npz" for folder in (tmp_path / "one", tmp_path / "two")]
    assert names[0].read_bytes() == names[1].read_bytes()

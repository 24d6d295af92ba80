from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_sg.__main__ import main
from monai_sg.data.records import Datalist
from monai_sg.runs.chain import STAGES
from monai_sg.utils.files import read_json, write_json
from tests.bundles.families.semantic_genesis import BUNDLE, overrides
from tests.bundles.folders import config, parser


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["monai_sg", *(str(argument) for argument in arguments)])
    main()


def refusal(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """Return the sentence with which a command ends."""
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *arguments)
    assert isinstance(end.value.code, str), "the exit code is 1 when it is a sentence"
    return end.value.code


def flags(command: str) -> dict[str, str]:
    words = shlex.split(command)
    return dict(zip((word.removeprefix("--") for word in words[4::2]), words[5::2], strict=True))


def test_dry_run_prints_one_command_per_stage_and_runs_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data, output = tmp_path / "no scans", tmp_path / "out"
    run(monkeypatch, "pretrain", "--data", data, "--output", output, "--dry_run", "--width", 8, "--scales", 2)
    commands = capsys.readouterr().out.splitlines()
    assert len(commands) == len(STAGES)
    for stage, command in zip(STAGES, commands, strict=True):
        assert command.startswith("python -m monai.bundle run --config_file ")
        given = flags(command)
        assert Path(given.pop("config_file")) == config(BUNDLE, f"{stage}.json")
        assert given["dataset_dir"] == str(data)
        assert given["width"] == "8"
        assert all(name in parser(BUNDLE, [f"{stage}.json"]) for name in given)
    assert not output.exists()


def test_dry_run_of_one_stage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(monkeypatch, "pretrain", "--data", tmp_path, "--output", "out", "--only", "classify", "--dry_run")
    (command,) = capsys.readouterr().out.splitlines()
    assert "classify.json" in command
    assert f"--output_dir {Path.cwd() / 'out'}" in command


def test_unknown_overrides_and_stages_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    places = ("pretrain", "--data", tmp_path, "--output", tmp_path / "out")
    assert re.search("--epoch names no id.*did you mean epochs", refusal(monkeypatch, *places, "--epoch", 1))
    nested = refusal(monkeypatch, *places, "--train::dataloder::batch_size", 1)
    assert "did you mean train::dataloader" in nested
    assert "'training' is unknown" in refusal(monkeypatch, *places, "--only", "training")
    assert BUNDLE in refusal(monkeypatch, *places, "--bundle", "unknown")
    assert not (tmp_path / "out").exists()


def test_scan_sums_up_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], phantom_cohort: Path, tmp_path: Path
) -> None:
    for path in phantom_cohort.rglob("*.9999.0.[012].*"):
        shutil.copy(path, tmp_path)
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    run(monkeypatch, "scan", "--data", tmp_path, "--output", tmp_path / "list" / "datalist.json")
    summary = capsys.readouterr().out
    assert "3 images of 3 patients" in summary
    assert "skipped broken.nii.gz: " in summary
    datalist = Datalist.load(tmp_path / "list" / "datalist.json")
    assert (len(datalist.records), len(datalist.skipped)) == (3, 1)


@pytest.mark.parametrize("command", [("scan",), ("pretrain", "--output", "out")])
def test_an_absent_folder_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "absent" in refusal(monkeypatch, *command, "--data", tmp_path / "absent")


def bundle_run(cwd: Path, names: list[str], values: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Run ``python -m monai.bundle run`` in another process from ``cwd``, with the overrides the configs have."""
    own = {name: value for name, value in values.items() if name == "epoch" or name in parser(BUNDLE, names)}
    files = [str(config(BUNDLE, name)) for name in names]
    words = [word for name, value in own.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(files), *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_bundle_runs_from_any_folder(finished_run: Path, phantom_cohort: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    shutil.copytree(finished_run, output, ignore=shutil.ignore_patterns("patterns.json", "discover", "train", "models"))
    write_json(output / "run.json", {})
    for name in ("discover.json", "train.json"):
        done = bundle_run(tmp_path, [name], overrides(phantom_cohort, output))
        assert done.returncode == 0, done.stderr[-3000:]
    assert (output / "patterns.json").read_bytes() == (finished_run / "patterns.json").read_bytes()
    assert (output / "models" / "model.pt").is_file()
    assert all(entry["finished"] for entry in read_json(output / "run.json").values())


@pytest.mark.slow
def test_a_mistyped_override_of_a_plain_bundle_run_is_refused(
    finished_run: Path, phantom_cohort: Path, tmp_path: Path
) -> None:
    values = {**overrides(phantom_cohort, finished_run), "run_dir": str(tmp_path / "run"), "epoch": 1}
    done = bundle_run(tmp_path, ["train.json"], values)
    assert done.returncode != 0
    assert re.search("--epoch names no id.*did you mean epochs", done.stderr)
    assert not (tmp_path / "run" / "method.pt").exists()

"""Packed bundles: what is in them, that nothing else is, and that they run without the package."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_sg.bundles.packed import self_contained
from monai_sg.pack import PACKAGE, STAYS, pack
from monai_sg.utils.files import read_json
from monai_sg.utils.json_text import json_text
from tests.bundles.cases import case, overrides, run
from tests.bundles.folders import FOLDERS, NAMES, content, files

Of = Callable[[str], Path]
LIGHT = [name for name in NAMES if "packed_train.json" in files(name)]
TEXTS = ("*.json", "*.md", "*.conf", "*.txt")


def files_below(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module", params=FOLDERS, ids=NAMES)
def source(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


@pytest.fixture(scope="module")
def packed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("packed")
    pack(source.name, output=str(output))
    return output / source.name


def test_modules_are_copies_and_none_is_a_study_or_a_command(packed: Path) -> None:
    scripts = files_below(packed / "scripts" / "monai_sg")
    assert {name: (PACKAGE / name).read_bytes() for name in scripts} == scripts
    assert {name.removesuffix(".py").split("/")[0] for name in scripts} & STAYS == set()
    for folder in {path.parent for path in (packed / "scripts").rglob("*.py")}:
        assert (folder / "__init__.py").is_file()
    configs = "".join(path.read_text() for path in packed.glob("configs/*.json"))
    named = {found.replace(".", "/") for found in re.findall(r'"scripts\.monai_sg\.([\w.]+)\.\w+"', configs)}
    missing = [name for name in named if f"{name}.py" not in scripts and f"{name.rpartition('/')[0]}.py" not in scripts]
    assert missing == []
    assert "utils/seeds.py" in set(scripts) - {f"{name}.py" for name in named}, "others import it"


def test_only_the_names_of_modules_differ_in_texts(source: Path, packed: Path) -> None:
    changed = {name: text for name, text in files_below(packed).items() if not name.startswith("scripts/")}
    for name, text in changed.items():
        path = source / name
        overlay = path.with_name(f"packed_{path.name}")
        expected = path.read_text()
        if overlay.is_file():
            expected = json_text(self_contained(content(path), content(overlay)))
        assert text.decode().replace("scripts.monai_sg.", "monai_sg.") == expected, name
    assert not list(packed.rglob("packed_*"))
    for name in ("LICENSE", "configs/metadata.json", "configs/train.json", "configs/logging.conf", "docs/README.md"):
        assert name in changed
    for path in (path for pattern in TEXTS for path in packed.rglob(pattern)):
        assert re.findall(r"(?<!scripts\.)monai_sg\.\w", path.read_text()) == [], path
    assert "scripts.monai_sg." in (packed / "configs" / "train.json").read_text()


def test_a_packed_fine_tuning_is_little_to_read(packed: Path) -> None:
    if packed.name in LIGHT:
        lines = [line for path in (packed / "scripts").rglob("*.py") for line in path.read_text().splitlines()]
        assert len(lines) < 1500


def _requirements(distribution: str, found: set[str]) -> set[str]:
    """Return what an installation of a distribution brings along, itself included."""
    name = re.sub(r"[-_.]+", "-", distribution).lower()
    if name not in found:
        found.add(name)
        for line in importlib.metadata.requires(name) or []:
            if ";" not in line:
                _requirements(re.split(r"[^\w.-]", line)[0], found)
    return found


def test_metadata_names_what_the_modules_import(packed: Path) -> None:
    metadata = content(packed / "configs" / "metadata.json")
    available: set[str] = set()
    for name in ("monai", "torch", "numpy", *metadata["required_packages_version"]):
        _requirements(name, available)
    assert "monai-sg" not in available
    of_module = {"PIL": "pillow", "sklearn": "scikit-learn", "ignite": "pytorch-ignite"}
    for path in (packed / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names
            assert {of_module.get(top, top) for top in tops} <= available, path


def test_same_bundle_gives_the_same_bytes(source: Path, packed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / source.name
    shutil.copytree(source, copy)
    for path in sorted(copy.rglob("*"), reverse=True):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o700)
    pack(str(copy), output=str(tmp_path / "again"))
    (first,), (second,) = (folder.glob("*.zip") for folder in (packed.parent, tmp_path / "again"))
    assert first.name == second.name == f"{source.name}_v{content(source / 'configs/metadata.json')['version']}.zip"
    assert first.read_bytes() == second.read_bytes()
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    assert Path(f"{first}.sha256").read_text() == f"{digest}  {first.name}\n"


def test_zip_holds_the_folder_and_nothing_of_this_machine(packed: Path, tmp_path: Path) -> None:
    (path,) = packed.parent.glob("*.zip")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
        entries = archive.infolist()
    assert files_below(tmp_path / packed.name) == files_below(packed)
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert {name.split("/")[0] for name in names} == {packed.name}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {stat.filemode(entry.external_attr >> 16) for entry in entries} == {"-rw-r--r--"}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_DEFLATED}


WITHOUT_PACKAGE = """
import json, sys
from ignite.engine import Events
from monai.bundle import ConfigWorkflow

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "monai_sg":
            raise ModuleNotFoundError(f"{name} is needed", name=name)

sys.meta_path.insert(0, Absent())
try:
    import monai_sg
    sys.exit("monai_sg is not blocked")
except ModuleNotFoundError:
    pass

def stop(engine):
    if engine.state.epoch == engine.state.max_epochs:
        raise KeyboardInterrupt

for files, overrides, killed in json.loads(sys.argv[1]):
    workflow = ConfigWorkflow(files, **overrides)
    workflow.initialize()
    if killed:
        for handler in workflow.parser.get_parsed_content("train::handlers"):
            if type(handler).__name__ == "Resume":
                handler.interval = 0.0
        workflow.parser.get_parsed_content("train::trainer").add_event_handler(Events.ITERATION_COMPLETED, stop)
    try:
        workflow.run()
    except KeyboardInterrupt:
        assert killed
    workflow.finalize()
"""


def without_package(plan: list[tuple[list[str], dict[str, Any], bool]], folder: Path, path: Path | None) -> None:
    """Run configs in a process that has no monai_sg; ``path`` is where Python looks beside ``folder``."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONSAFEPATH"}}
    environment |= {"OMP_NUM_THREADS": "1"} | ({"PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"} if path else {})
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE, json.dumps(plan)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize("inside", [True, False], ids=["from its folder", "from another folder"])
@pytest.mark.parametrize("bundle", sorted(set(NAMES) - set(LIGHT)))
def test_a_packed_bundle_runs_without_the_package(
    cohort_of: Of, finished_of: Of, tmp_path: Path, bundle: str, inside: bool
) -> None:
    pack(bundle, output=str(tmp_path / "packed"))
    root, output = tmp_path / "packed" / bundle, tmp_path / "output"
    values = overrides(bundle, cohort_of(bundle), output)
    folder = Path("configs") if inside else root / "configs"
    plan = [
        ([str(folder / name) for name in names], {**values, **more}, False)
        for names, more in case(bundle).steps.items()
    ]
    if not inside:  # the training is killed in its last epoch, and given again
        place = next(index for index, (files, *_) in enumerate(plan) if Path(files[0]).name == "train.json")
        files, given, _ = plan[place]
        plan.insert(place, (files, given, True))
    without_package(plan, root if inside else tmp_path, None if inside else root)
    installed, ours = (
        torch.load(each / "models" / "model.pt", weights_only=True) for each in (finished_of(bundle), output)
    )
    assert all(torch.equal(ours[name], installed[name]) for name in {**ours, **installed})


@pytest.mark.slow
@pytest.mark.parametrize("bundle", LIGHT)
def test_a_packed_fine_tuning_trains_and_answers_as_the_installed_one(
    cohort_of: Of, finished_of: Of, tmp_path: Path, bundle: str
) -> None:
    pack(bundle, output=str(tmp_path / "packed"))
    root, output, installed = tmp_path / "packed" / bundle, tmp_path / "output", tmp_path / "installed"
    shutil.copytree(finished_of(bundle), installed)
    listed = read_json(installed / "datalist.json")
    images = tmp_path / "images"
    images.mkdir()
    shutil.copy(cohort_of(bundle) / listed["test"][0]["image"], images)
    steps = dict(case(bundle).steps)
    given = overrides(bundle, cohort_of(bundle), output, datalist=str(installed / "datalist.json"))
    theirs = {("inference.json",): {"dataset_dir": str(images)}}
    plan = []
    for names, more in steps.items():
        weights = output if names == ("train.json",) else installed
        own = {"ckpt_dir": str(weights / "models"), **theirs.get(names, {})}
        plan.append(([f"configs/{name}" for name in names], {**given, **more, **own}, False))
        if names != ("train.json",):
            run(bundle, names, cohort_of(bundle), installed, **more, **theirs.get(names, {}))
    without_package(plan, root, None)
    before, after = (torch.load(each / "models/model.pt", weights_only=True) for each in (installed, output))
    assert {name: value.shape for name, value in after.items()} == {name: value.shape for name, value in before.items()}
    assert any(not torch.equal(after[name], before[name]) for name in after), "MONAI draws other crops"
    compare = case(bundle).compare
    assert compare is not None
    compare(installed, output)

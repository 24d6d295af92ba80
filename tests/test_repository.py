"""Rules of the house that a reader would otherwise have to remember."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
PACKAGE = TOP / "monai_sg"
MODULES = sorted(PACKAGE.rglob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# A letter in brackets, or a group, keeps a pattern from matching its own line.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(?:work|root|home|tmp|opt|farm)/",
    "an issue number": r"(?<![\w&/#@])#\d{1,2}(?!\w|\.\d)|\b[Ii]ssue #?\d+\b",
    "a package index": r"\b(?:pypi|pythonhosted|npmjs|debian|anaconda)\.(?:org|io|com)\b",
    "an index other than PyTorch's": r"index-url[= ]+(?!https://download\.pytorch\.org/)\w",
    "a tool that wrote text": r"(?i)\b(?:[c]laude|[a]nthropic|[o]penai|[c]hatgpt|[c]hatbots?|[c]opilot|[l]lms?)\b",
    "a hand that wrote text": r"(?i)\b(?:[a]ssistants?|(?<!contrast )[a]gents?|A[I][- ](?:generated|written|made))\b",
    "the sitting in which it was written": r"(?i)\b(?:this|previous|earlier|last|our|my) [s]ession\b",
    "a page that is not here": r"(?<![\w/-])(?:design|style|peers|contracts)[.]md\b",
}


def _project_files() -> list[Path]:
    """Return the files that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=TOP, capture_output=True, check=True, text=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listed.split("\0") if name and (path := TOP / name).is_file()]


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _project_files():
        try:
            yield path.relative_to(TOP), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture


def _matches(pattern: str) -> list[str]:
    found = []
    for path, text in _texts():
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{path}:{number}: {line.strip()[:120]}")
    return found


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(TOP)}:{getattr(node, 'lineno', 1)}"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    assert _matches(FORBIDDEN[what]) == []


def test_only_continuous_integration_knows_the_folder_beside_the_checkout() -> None:
    found = _matches(re.escape("../" + "shared"))
    assert [line for line in found if not line.startswith(".ci/")] == []


def test_no_tracked_file_is_larger_than_a_megabyte() -> None:
    assert [str(path) for path in _project_files() if path.stat().st_size > 1_000_000] == []


def test_modules_are_short() -> None:
    lengths = {str(path.relative_to(TOP)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 250} == {}


def test_functions_are_short() -> None:
    long = {}
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, FUNCTIONS) and (length := (node.end_lineno or 0) - node.lineno + 1) > 40:
                long[f"{_where(path, node)} {node.name}"] = length
    assert long == {}


def _public_definitions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public_definitions(node.body)


def test_public_names_are_described() -> None:
    silent = []
    for path in MODULES:
        tree = _tree(path)
        if tree.body and ast.get_docstring(tree) is None:
            silent.append(f"{_where(path, tree)} module")
        silent += [
            f"{_where(path, node)} {node.name}"
            for node in _public_definitions(tree.body)
            if ast.get_docstring(node) is None
        ]
    assert silent == []


def test_packages_below_the_top_are_empty() -> None:
    below = [path for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    assert [str(path.relative_to(TOP)) for path in below if path.read_text()] == []


def test_package_imports_itself_relatively() -> None:
    absolute = []
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            absolute += [_where(path, node) for name in names if name.split(".")[0] == "monai_sg"]
    assert absolute == []


def test_package_logs_instead_of_printing() -> None:
    printing = []
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                printing.append(_where(path, node))
    assert printing == []


def _strings(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from _strings(value)


def test_bundles_name_our_code_only_as_targets() -> None:
    found = []
    for path in sorted((TOP / "bundles").rglob("*.json")):
        for text in _strings(json.loads(path.read_text())):
            if text.startswith("$") and re.search(r"\bmonai_sg\b", text):
                found.append(f"{path.relative_to(TOP)}: {text}")
    assert found == []


def _options() -> configparser.ConfigParser:
    settings = configparser.ConfigParser()
    settings.read(TOP / "setup.cfg")
    return settings


def _pins() -> dict[str, str]:
    """Return the first pin of each package, which is the one for current Python."""
    lines = re.findall(r"^([\w-]+)==([\w.]+)", (TOP / "constraints.txt").read_text(), flags=re.MULTILINE)
    return dict(reversed(lines))


def test_wheel_lists_every_package() -> None:
    listed = set(_options()["options"]["packages"].split())
    found = {".".join(path.parent.relative_to(TOP).parts) for path in PACKAGE.rglob("__init__.py")}
    assert listed == found | {"monai_sg._bundles"}


def test_requirements_are_ranges_and_their_pins_are_tested() -> None:
    lines = _options()["options"]["install_requires"].split("\n")
    for extra in ("test", "dev", "benchmarks"):
        lines += _options()["options.extras_require"][extra].split("\n")
    assert [line for line in lines if "==" in line] == []
    assert {re.split(r"[<>=!~ ]", line)[0] for line in lines if line} == set(_pins())


def test_every_imported_distribution_is_required() -> None:
    distribution = {"PIL": "pillow", "ignite": "pytorch-ignite", "sklearn": "scikit-learn"}
    lines = _options()["options"]["install_requires"].split("\n")
    allowed = {re.split(r"[<>=!~ ]", line)[0] for line in lines if line} | sys.stdlib_module_names
    missing = set()
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            tops = {name.split(".")[0] for name in names}
            missing |= {f"{_where(path, node)} {top}" for top in tops if distribution.get(top, top) not in allowed}
    assert missing == set()


def test_bundles_name_the_tested_versions() -> None:
    pins, wrong = _pins(), []
    for path in sorted((TOP / "bundles").glob("*/configs/metadata.json")):
        content = json.loads(path.read_text())
        named = {name: content[f"{name}_version"] for name in ("monai", "numpy")}
        named |= {"torch": content["pytorch_version"], **content["required_packages_version"]}
        wrong += [f"{path.relative_to(TOP)}: {name} {named[name]}" for name in named if pins.get(name) != named[name]]
    assert wrong == []


def test_links_in_the_documentation_lead_somewhere() -> None:
    dead = []
    for path, text in _texts():
        if path.suffix == ".md":
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
                if "://" not in target and not (TOP / path.parent / target).exists():
                    dead.append(f"{path}: {target}")
    assert dead == []

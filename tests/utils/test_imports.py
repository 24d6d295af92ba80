from __future__ import annotations

from pathlib import Path

import pytest

from monai_sg.utils.imports import import_closure


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Write a package whose imports are of every kind."""
    sources = {
        "toy/__init__.py": "from .top import VERSION",
        "toy/top.py": "VERSION = 1",
        "toy/low/__init__.py": "",
        "toy/low/a.py": "import json\nfrom . import b\nfrom .c import C",
        "toy/low/b.py": "from .a import A",
        "toy/low/c.py": "from json import loads",
        "toy/low/unused.py": "from . import a",
        "toy/high/__init__.py": "",
        "toy/high/late.py": "def run():\n    from ..low import a, c\n    return a",
        "toy/high/deep/__init__.py": "",
        "toy/high/deep/inner.py": "from ...low.c import C",
        "toy/high/curve.py": "from ..draw.figure import plot",
        "toy/high/task.py": "from .curve import x",
        "toy/draw/__init__.py": "",
        "toy/draw/figure.py": "plot = 1",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "toy"


TOP = ["toy", "toy.top"]
A = ["toy.low", "toy.low.a", "toy.low.b", "toy.low.c"]


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("toy.top", []),
        ("toy.low.c", ["toy.low", "toy.low.c"]),
        ("toy.low.c.C.load", ["toy.low", "toy.low.c"]),
        ("toy.low.a.A", A),
        ("toy.high.late.run", ["toy.high", "toy.high.late", *A]),
        ("toy.high.deep.inner", ["toy.high", "toy.high.deep", "toy.high.deep.inner", "toy.low", "toy.low.c"]),
        ("toy.high", ["toy.high"]),
    ],
)
def test_closure_holds_what_an_import_needs(package: Path, name: str, modules: list[str]) -> None:
    assert import_closure({name: "train.json"}, package) == sorted([*TOP, *modules])


def test_closure_of_several_names_is_their_union_and_of_none_is_empty(package: Path) -> None:
    names = {"toy.low.c": "train.json", "toy.high.deep.inner.X": "inference.json"}
    assert import_closure(names, package) == sorted(
        {"toy.low", "toy.low.c", "toy.high", "toy.high.deep", "toy.high.deep.inner", *TOP}
    )
    assert import_closure({}, package) == []


def test_a_module_that_must_stay_is_refused_with_the_way_to_it(package: Path) -> None:
    way = r"train\.json -> toy\.high\.task -> toy\.high\.curve -> toy\.draw\.figure"
    with pytest.raises(ValueError, match=rf"toy\.draw\.figure cannot come along.*{way}"):
        import_closure({"toy.high.task.run": "train.json"}, package, {"draw"})
    with pytest.raises(ValueError, match=r"toy\.draw\.figure.*: README\.md -> toy\.draw\.figure"):
        import_closure({"toy.draw.figure.plot": "README.md"}, package, {"draw"})
    assert import_closure({"toy.low.a.A": "train.json"}, package, {"draw"}) == [*TOP[:1], *A, *TOP[1:]]


@pytest.mark.parametrize("name", ["toy.lwo.a", "toy.low.d.D", "toy.low.C", "toy.VERSION"])
def test_a_name_that_is_in_no_module_is_refused(package: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"train\.json names {name}, which is in no module"):
        import_closure({name: "train.json"}, package)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import toy.top", "imports toy by its full name"),
        ("from toy import top", "imports toy by its full name"),
        ("from toy.low.b import B", "imports toy by its full name"),
        ("x = importlib.import_module('toy.low.b')", "holds the name 'toy.low.b'"),
        ("x = files('toy')", "holds the name 'toy'"),
        ("x = Path(y) / '_bundles'", "holds the name '_bundles'"),
        ("x = Path(__file__)", "looks for files beside it"),
    ],
)
def test_a_module_that_works_only_where_it_is_cannot_be_copied(package: Path, line: str, reason: str) -> None:
    (package / "low" / "c.py").write_text(f"'''Use toy.low.c like this.'''\nimport toys\n{line}\n")
    with pytest.raises(ValueError, match=rf"c\.py, line 3, {reason}"):
        import_closure({"toy.low.a": "train.json"}, package)

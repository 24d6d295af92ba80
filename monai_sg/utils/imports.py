"""What must be there for a module of a package to be imported, told from the source without importing it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from .errors import UserError


def import_closure(names: Mapping[str, str], package: Path, refused: Collection[str] = ()) -> list[str]:
    """Return the modules that are needed to import what is named, with the packages that hold them.

    Args:
        names: dotted name of a module, or of something in a module, to the file that names it.
        package: folder of the package, which imports itself relatively.
        refused: modules and packages right below ``package`` that must not be reached.

    Raises:
        ValueError: a name is in no module, imports lead to what is refused, or a module works only where it is.
    """
    origin: dict[str, str] = {}
    waiting = [(_module_of(name, package, where), where) for name, where in names.items()]
    while waiting:
        module, source = waiting.pop(0)
        if module in origin:
            continue
        origin[module] = source
        if any(part in refused for part in module.split(".")[1:2]):
            chain = [module]
            while chain[-1] in origin:
                chain.append(origin[chain[-1]])
            raise UserError(f"{module} cannot come along, but it is needed: {' -> '.join(reversed(chain))}.")
        waiting += [(needed, module) for needed in [*_parents(module), *_imports(module, package)]]
    return sorted(origin)


def file_of(module: str, package: Path) -> Path:
    """Return the file of a module, whether there is one or not."""
    place = package.parent.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _module_of(name: str, package: Path, where: str) -> str:
    """Return the module in which a name is defined; an empty package defines nothing but itself."""
    module = name
    while "." in module:
        file = file_of(module, package)
        if file.is_file() and (module == name or file.name != "__init__.py"):
            return module
        module = module.rpartition(".")[0]
    raise UserError(f"{where} names {name}, which is in no module of {package}; correct the name.")


def _parents(module: str) -> list[str]:
    return [module.rpartition(".")[0]] if "." in module else []


def _imports(module: str, package: Path) -> Iterator[str]:
    """Yield the modules of the package that a module imports, in functions too."""
    file = file_of(module, package)
    base = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(file))):
        if isinstance(node, ast.ImportFrom) and node.level:
            start = ".".join([*base[: len(base) - node.level + 1], *([node.module] if node.module else [])])
            inner = [f"{start}.{alias.name}" for alias in node.names]
            yield from [start, *(name for name in inner if file_of(name, package).is_file())]
        elif (habit := _bound_to_its_place(node, package.name)) is not None:
            raise UserError(f"{file}, line {getattr(node, 'lineno', 0)}, {habit}, so a copy of it would not work.")


def _bound_to_its_place(node: ast.AST, top: str) -> str | None:
    """Say why code with this node works only in the package it is in, if that is so."""
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom):
        modules = [node.module or ""]
    if any(name.split(".")[0] == top for name in modules):
        return f"imports {top} by its full name instead of relatively"
    if isinstance(node, ast.Constant) and re.fullmatch(rf"{top}(\.\w+)*|_bundles", str(node.value)):
        return f"holds the name {node.value!r}"
    return "looks for files beside it" if isinstance(node, ast.Name) and node.id == "__file__" else None

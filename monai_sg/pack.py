"""Pack a bundle so that it runs without this package: the modules it names travel in its ``scripts`` folder."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import IO, Any

from .bundles.packed import self_contained
from .utils.bundle_folders import bundle_root
from .utils.errors import AbsentError, UserError
from .utils.files import read_json, sha256_of, write_atomic
from .utils.imports import file_of, import_closure
from .utils.json_text import json_text
from .weights.description import settings_of

PACKAGE = Path(__file__).parent
STAYS = {"studies", "reports", "commands", "bundles", "pack", "__main__"}
# By default scans and results lie in the bundle too, and those of patients must not travel: only these parts do.
PARTS = ("LICENSE", "large_files.yml", "configs", "docs", "models/model.json", "models/model.pt")
PACKED = "packed_"
MADE_AGAIN = {"LICENSE", "large_files.yml", "configs", "docs", "scripts"}
TEXTS = {".json", ".yaml", ".yml", ".conf", ".md", ".txt"}
METADATA = Path("configs", "metadata.json")
WEIGHTS = Path("models", "model.pt")

_NAME = re.compile(r"(?<![\w./-])monai_sg(?:\.[A-Za-z_]\w*)+")
_LOGGER = re.compile(r"^(qualname\s*=\s*)(?=monai_sg\s*$)", re.MULTILINE)
_EXPRESSION = re.compile(r'"\$(?:[^"\\]|\\.)*"')
_ALONE = re.compile(r"(?<![\w.])monai_sg\b")


def pack(name: str, *, output: str = "dist") -> str:
    """Write a bundle as a folder and as a zip, neither of which needs an installed monai_sg.

    Where weights are packed, the configs get the settings that ``model.json`` says they were made with. Where a config
    has an overlay ``packed_<config>`` beside it, what is packed is the config with this overlay, see `self_contained`.

    Args:
        name: a bundle of this package; with a slash in it, the folder of any bundle.
        output: folder to write NAME/, NAME_vVERSION.zip and NAME_vVERSION.zip.sha256 to.

    Returns:
        a summary.

    Raises:
        FileNotFoundError: there is no such bundle.
        ValueError: something in the bundle cannot be packed, or something in ``output`` would be lost.
    """
    root = (bundle_root(name) if name == Path(name).name else Path(name)).resolve()
    files = bundle_files(root)
    version = read_json(root / METADATA).get("version")
    if not isinstance(version, str) or not re.fullmatch(r"\w[\w.+-]*", version):
        raise UserError(f"{root / METADATA} has the version {version!r}; make it one like 0.1.0.")
    place = Path(output).resolve()
    target, archive = place / root.name, place / f"{root.name}_v{version}.zip"
    if place.is_relative_to(root) or root.is_relative_to(target):
        raise UserError(f"The output folder {place} would mix with the bundle {root}; take another --output.")
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=f".{root.name}.") as work:
        fresh = Path(work) / root.name
        modules = _fill(fresh, root, files)
        _check_replaceable(target, fresh)
        write_atomic(archive, lambda file: write_zip(fresh, file))
        _swap(fresh, target, Path(work) / "replaced")
    checksum = f"{sha256_of(archive)}  {archive.name}\n"
    write_atomic(f"{archive}.sha256", lambda file: file.write(checksum.encode()))
    return _summary(root, files, modules, target, archive)


def _summary(root: Path, files: list[Path], modules: list[str], target: Path, archive: Path) -> str:
    taken = {*files, *(parent for file in files for parent in file.parents)}
    present = {path.relative_to(root) for path in [*root.glob("*"), *root.glob("models/*")]}
    left = ", ".join(sorted(str(path) for path in present - taken)) or "nothing"
    weights = "with" if WEIGHTS in files else "without"
    lines = [
        f"{target}: {len(files)} files of the bundle, {weights} weights, {len(modules)} modules in scripts/monai_sg",
        f"{archive}: {archive.stat().st_size} bytes, sha256 {sha256_of(archive)}",
        f"left out: {left}",
        "To run it, install the packages that its configs/metadata.json names; monai_sg is not needed:",
        f"cd {target} && python -m monai.bundle run --config_file configs/train.json --dataset_dir DIR",
        f"From another folder, with absolute paths, it needs: export PYTHONPATH={target}",
    ]
    return "\n".join(lines)


def bundle_files(root: Path) -> list[Path]:
    """Return the files of a bundle that are packed, relative to its folder.

    Args:
        root: the bundle's folder, resolved.

    Raises:
        FileNotFoundError: it is no bundle.
        ValueError: it is packed already, or a link leads out of it.
    """
    if not (root / METADATA).is_file():
        raise AbsentError(f"{root} is no bundle, because it has no {METADATA.as_posix()}.")
    if (root / "scripts").exists():
        raise UserError(f"{root} has a scripts folder, as packed bundles have; pack the bundle that it was made from.")
    return [path.relative_to(root) for part in PARTS for path in _files_below(root / part, root)]


def _files_below(path: Path, root: Path) -> Iterator[Path]:
    if path.name.startswith(".") or path.name == "__pycache__" or not (path.exists() or path.is_symlink()):
        return
    if not path.resolve().is_relative_to(root) or (path.is_symlink() and not path.is_file()):
        raise UserError(f"{path} is a link to a folder or leads out of the bundle; put a copy in its place.")
    if path.is_dir():
        for inner in sorted(path.iterdir()):
            yield from _files_below(inner, root)
    elif path.is_file():
        yield path


def _fill(fresh: Path, root: Path, files: list[Path]) -> list[str]:
    """Write the packed bundle to ``fresh`` and return the modules copied."""
    names: dict[str, str] = {}
    replaced = {file.with_name(f"{PACKED}{file.name}") for file in files} & set(files)
    settings = settings_of(root / "models" / "model.pt") if WEIGHTS in files else {}
    for file in sorted(set(files) - replaced):
        (fresh / file).parent.mkdir(parents=True, exist_ok=True)
        if file.parts[0] in {"configs", "docs"} and file.suffix in TEXTS:
            text = (root / file).read_bytes().decode()
            if (overlay := file.with_name(f"{PACKED}{file.name}")) in replaced:
                text = json_text(self_contained(json.loads(text), _overlay(root / overlay, settings)))
            if file.suffix == ".json" and file != METADATA:
                text = with_settings(text, settings)
            names |= {name: str(file) for name in _NAME.findall(text) if name not in names}
            (fresh / file).write_bytes(renamed(text, file).encode())
        else:
            shutil.copyfile(root / file, fresh / file)
    modules = import_closure(names, PACKAGE, STAYS)
    for module in modules:
        source = file_of(module, PACKAGE)
        copy = fresh / "scripts" / source.relative_to(PACKAGE.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    (fresh / "scripts").mkdir(exist_ok=True)
    (fresh / "scripts" / "__init__.py").touch()
    return modules


def _overlay(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what takes the place of ids; MONAI has no window per image like ours, so those weights keep ours."""
    content: dict[str, Any] = read_json(path)
    kept = "scale_intensity" if isinstance(settings.get("intensity_range"), str) else None
    return {name: value for name, value in content.items() if name != kept}


def with_settings(text: str, settings: Mapping[str, Any]) -> str:
    """Return a config whose ids have the values that the packed weights were made with, so that it can load them.

    Args:
        text: JSON; it stays as it is where nothing changes.
        settings: id to value; ids that the config does not have are left out.
    """
    config = json.loads(text)
    plain = {name for name, value in config.items() if not isinstance(value, dict)}
    changed = {name: value for name, value in settings.items() if name in plain and config[name] != value}
    return json_text(self_contained(config, changed)) if changed else text


def renamed(text: str, file: Path) -> str:
    """Return the text of a bundle's file with ``scripts.`` before the names of our modules.

    Args:
        text: JSON, Markdown or the like; all else stays as it is, indentation too.
        file: where it is in the bundle; ``configs/metadata.json`` also stops requiring monai_sg.

    Raises:
        ValueError: an expression names ``monai_sg`` alone, as ``$from monai_sg import ...`` does.
    """
    for expression in _EXPRESSION.findall(text):
        if _ALONE.search(_NAME.sub("", expression)):
            raise UserError(f"{file} has the expression {expression}; name what it needs as a `_target_` instead.")
    if file == METADATA:
        metadata = json.loads(text)
        required = metadata.get("required_packages_version", {})
        others = {key: pin for key, pin in required.items() if key.lower().replace("-", "_") != "monai_sg"}
        if others != required:
            text = json_text({**metadata, "required_packages_version": others})
    return _LOGGER.sub(r"\1scripts.", _NAME.sub(r"scripts.\g<0>", text))


def write_zip(folder: Path, file: IO[bytes]) -> None:
    """Write a folder as a zip whose bytes depend on nothing but names and contents.

    Args:
        folder: the one folder at the top of the zip.
        file: an open binary file.

    Raises:
        ValueError: a name would leave the folder in which the zip is unpacked, on whatever system.
    """
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder.parent).as_posix()
            # Windows takes a backslash for a slash, which other systems allow in a name.
            if PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts:
                raise UserError(f"{name!r} would be unpacked into another folder; rename it.")
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def _check_replaceable(target: Path, fresh: Path) -> None:
    """Refuse to replace anything but a packed bundle in which nothing was trained or stored since."""
    if not (target.exists() or target.is_symlink()):
        return
    if target.is_symlink() or not (target / METADATA).is_file() or not (target / "scripts" / "monai_sg").is_dir():
        raise UserError(f"{target} is no packed bundle, so it is not replaced; move it or take another --output.")
    for path in sorted(path for path in target.rglob("*") if path.is_symlink() or path.is_file()):
        inner = path.relative_to(target)
        if inner.parts[0] not in MADE_AGAIN and not _packed_before(path, inner, target, fresh):
            raise UserError(f"{path} was not written by packing and would be lost; move it or take another --output.")


def _packed_before(path: Path, inner: Path, target: Path, fresh: Path) -> bool:
    """Whether a file is in the new packed bundle, or in a zip of an older one, with the same content."""
    content = path.read_bytes() if not path.is_symlink() else None
    if content is None or ((fresh / inner).is_file() and (fresh / inner).read_bytes() == content):
        return content is not None
    for archive in filter(zipfile.is_zipfile, target.parent.glob(f"{target.name}_v*.zip")):
        with zipfile.ZipFile(archive) as zipped:
            entries = {entry.filename: entry.CRC for entry in zipped.infolist()}
        if entries.get(f"{target.name}/{inner.as_posix()}") == zlib.crc32(content):
            return True
    return False


def _swap(fresh: Path, target: Path, aside: Path) -> None:
    if target.exists():
        target.rename(aside)
    try:
        fresh.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise

"""The code of an adapter: its module, and what that imports from beside it.

    files = list_code(cls)       # {"adapter.py": Path(...), "helper.py": Path(...)}
    digest_code(cls)             # the same for the same code, wherever it lies

A correction in a helper changes features as much as one in the class. The files count byte for
byte: code may read its own source, and what is embedded once too often is never wrong. What is
installed for itself (torch, timm) does not count: what it does to features shows in the weights and
in the feature of the trial picture.
"""

import ast
import hashlib
import inspect
import pathlib
import sys
import textwrap
from collections.abc import Iterator

__all__ = ["digest_code", "list_code", "list_module"]

INSTALLED = ("site-packages", "dist-packages")
BASES = ("VisionBackbone", "TextTower")


def digest_code(cls: type) -> str:
    """Hex string over the code of a backbone's class."""
    digest = hashlib.sha256()
    for name, path in sorted(list_code(cls).items()):
        digest.update(f"\x1e{name}\x1f".encode())
        digest.update(path.read_bytes())
    for base in _list_classes(cls):
        # A class of a notebook has no file.
        if _get_file(base) is None:
            try:
                source = textwrap.dedent(inspect.getsource(base))
            except (OSError, TypeError):
                continue
            digest.update(source.encode())
    return digest.hexdigest()


def list_code(cls: type) -> dict[str, pathlib.Path]:
    """The files of a class and its bases below `VisionBackbone` or `TextTower`, with the modules
    that they import from their own folder or package, and so on; by their path below the place of
    their package.
    """
    found: dict[str, pathlib.Path] = {}
    for base in _list_classes(cls):
        file = _get_file(base)
        if file is None:
            continue
        found.update(list_module(base.__module__, file))
    return found


def list_module(module: str, file: pathlib.Path) -> dict[str, pathlib.Path]:
    """The file of a module, with the modules that it imports, as `list_code` does for a class."""
    place, scope = _find_scope(module, file)
    found: dict[str, pathlib.Path] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(place).as_posix()
        if name in found:
            continue
        found[name] = path
        waiting += [other for other in _list_imports(path, place) if scope in other.parents]
    return found


def _list_classes(cls: type) -> list[type]:
    names = [base.__name__ for base in cls.__mro__]
    end = next((i for i, name in enumerate(names) if name in BASES), len(names))
    return [
        base
        for base in cls.__mro__[:end]
        if base.__module__.partition(".")[0] not in ("torch", "builtins")
    ]


def _get_file(cls: type) -> pathlib.Path | None:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if not file or not file.endswith(".py"):
        return None
    path = pathlib.Path(file).resolve()
    return path if path.is_file() else None


def _find_scope(module: str, file: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """The folder that dotted names begin in, and the one that imported modules must lie in."""
    parts = module.split(".")
    if file.name == "__init__.py":
        parts.append("__init__")
    if file.with_suffix("").parts[-len(parts) :] != tuple(parts):
        # Loaded under a name of its own.
        return file.parent, file.parent
    place = file.parents[len(parts) - 1]
    if parts[0] == "biobench":
        return place, file.parent
    if any(part in INSTALLED for part in place.parts):
        # A single module among the installed ones has no folder of its own.
        return place, file if place == file.parent else place / parts[0]
    return place, place


def _list_imports(path: pathlib.Path, place: pathlib.Path) -> Iterator[pathlib.Path]:
    """The files of the modules that a file may import, of those that lie where names begin."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        for start, name in _list_names(node, path, place):
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                stem = start.joinpath(*parts[:end])
                for candidate in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py"):
                    if candidate.is_file():
                        yield candidate.resolve()


def _list_names(
    node: ast.AST, path: pathlib.Path, place: pathlib.Path
) -> Iterator[tuple[pathlib.Path, str]]:
    """Dotted names that a statement imports, each with the folders that it may begin in."""
    if isinstance(node, ast.Import):
        names, starts = [alias.name for alias in node.names], {place, path.parent}
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        starts = {place, path.parent}
    elif isinstance(node, ast.ImportFrom):
        prefix = f"{node.module}." if node.module else ""
        names = [prefix + alias.name for alias in node.names]
        starts = {path.parents[node.level - 1]}
    else:
        return
    for start in sorted(starts):
        for name in names:
            yield start, name

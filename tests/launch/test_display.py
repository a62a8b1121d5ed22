"""What a person sees of a plan that runs."""

import io
import re

import rich.console

from biobench import launch
from biobench.launch.display import _Lines, _Table, summarise
from biobench.launch.state import CellState


def make_plan(n_models=2):
    return launch.make_plan(
        launch.Settings(
            models=[f"timm:m{i}" for i in range(n_models)],
            tasks=["newt", "kabr"],
            n_train=[1, -1],
            data="/data",
        )
    )


def render(table, width=120):
    console = rich.console.Console(width=width, record=True, file=io.StringIO())
    console.print(table.render())
    return console.export_text()


def test_lines_say_each_stage_once_and_count_what_ended(capsys):
    plan = make_plan()
    show = _Lines(plan)
    first, second = plan.cells[:2]
    for done in range(0, 100, 10):
        show(first, CellState(first.id, state="running", stage="embed", done=done, total=100))
    show(first, CellState(first.id, state="done", score=0.5, ci=[0.4, 0.6]))
    show(second, CellState(second.id, state="failed", cause="it broke"))
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "newt (1 a class) · timm:m0: embed",
        "newt (1 a class) · timm:m0: 0.500 [0.400, 0.600] (1 of 8 cells)",
        "newt · timm:m0: failed: it broke (2 of 8 cells)",
    ]


def test_the_table_has_every_model_and_task_with_what_became_of_each():
    plan = make_plan()
    table = _Table(plan)
    a, b, c, d = plan.cells[:4]
    table(a, CellState(a.id, state="done", score=0.5, ci=[0.4, 0.6]))
    table(b, CellState(b.id, state="running", stage="embed", done=30, total=100))
    table(c, CellState(c.id, state="failed", cause="it broke"))
    table(d, CellState(d.id, state="running", stage="probe", attempt=2))
    text = render(table)
    for words in ("timm:m0", "timm:m1", "newt", "kabr", "1 a class", "2 of 8 cells"):
        assert words in text
    for words in ("0.500", "[0.400, 0.600]", "embed 30%", "failed", "probe (again)"):
        assert words in text
    assert text.count("·") == 4


def test_a_table_taller_than_the_terminal_shows_the_models_at_work(monkeypatch):
    monkeypatch.setenv("LINES", "30")
    monkeypatch.setenv("COLUMNS", "120")
    plan = make_plan(n_models=85)
    table = _Table(plan)
    cell = plan.cells[4 * 60]
    table(cell, CellState(cell.id, state="running", stage="embed", done=1, total=10))
    text = render(table)
    assert "timm:m60" in text and "embed 10%" in text
    assert len(re.findall(r"timm:m\d+", text)) == 22


def test_the_summary_ends_with_the_failures_their_causes_and_logs(tmp_path):
    plan = make_plan()
    states = [CellState(cell.id, state="done") for cell in plan.cells]
    states[1] = CellState(plan.cells[1].id, state="failed", cause="it broke", log=".launch/x.log")
    lines = summarise(plan, states).splitlines()
    assert lines[0].startswith("7 of 8 cells done")
    assert lines[-2:] == [
        "  newt · timm:m0: it broke",
        f"    log: {plan.results}/.launch/x.log",
    ]

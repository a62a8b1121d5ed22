"""What a person sees of a plan that runs."""

import io
import pathlib
import re

import pytest
import rich.console

from biobench import cli, launch, report, results
from biobench.console import CleanConsole
from biobench.launch.checking import summarise as summarise_run
from biobench.launch.showing import _Lines, _Table, summarise
from biobench.launch.states.state import CellState, StateFile
from results_world import make_report


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
    show = _Lines(plan, clock=lambda: 0.0)
    first, second = plan.cells[:2]
    for done in range(0, 100, 10):
        show(first, CellState(first.id, state="running", stage="embed", done=done, total=100))
    show(first, CellState(first.id, state="done", score=0.5, ci=[0.4, 0.6]))
    show(second, CellState(second.id, state="failed", cause="it broke"))
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "newt (1 a class) · timm:m0: embed 0 of 100",
        "newt (1 a class) · timm:m0: 0.500 [0.400, 0.600] (1 of 8 cells)",
        "newt · timm:m0: failed: it broke (2 of 8 cells)",
    ]


def say_progress(plan, counts, total=48_000):
    """Report (seconds since the start, pictures done) of one cell's embedding."""
    now = [0.0]
    show = _Lines(plan, clock=lambda: now[0])
    (cell, *_) = plan.cells
    for seconds, done in counts:
        now[0] = seconds
        show(cell, CellState(cell.id, state="running", stage="embed", done=done, total=total))


def test_in_a_pipe_each_quarter_says_pictures_done_and_time_left(capsys):
    # 100 pictures a second.
    say_progress(make_plan(), [(t, 100 * t) for t in range(0, 481, 20)])
    lines = [line.split(": ")[1] for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "embed 0 of 48,000"
    assert "embed 12,000 of 48,000, about 6 min left" in lines
    assert "embed 24,000 of 48,000, about 4 min left" in lines
    assert lines[-1] == "embed 44,000 of 48,000, about 40 s left"


def test_a_slow_stage_is_spoken_of_every_half_minute_and_a_fast_one_once(capsys):
    say_progress(make_plan(), [(float(t), t) for t in range(0, 301)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11 and lines[1].endswith("embed 30 of 48,000, about 13 h left")
    say_progress(make_plan(), [(t / 100, 100 * t) for t in range(0, 481)])
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_what_was_embedded_before_does_not_count_for_the_time_left(capsys):
    say_progress(make_plan(), [(0.0, 40_000), (40.0, 44_000)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith("embed 44,000 of 48,000, about 40 s left")


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


@pytest.mark.parametrize("n_groups", [None, 8])
def test_run_status_and_leaderboard_show_one_interval(tmp_path, capsys, n_groups):
    plan = launch.Plan((launch.Cell("birds", "folder", ("timm", "a"), {}),), tmp_path)
    plan.save()
    made = make_report(n=64, n_groups=n_groups, metric="macro-f1")
    run = results.write_run(tmp_path, "birds", ("timm", "a"), made)
    (row,) = report.leaderboard(tmp_path).table.iter_rows(named=True)
    shown = f"{row['score']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
    (cell,) = plan.cells
    state = StateFile(plan.folder, cell.id).update(state="done", **summarise_run(plan, run, None))
    _Lines(plan)(cell, state)
    assert cli.main(["status", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count(shown) == 2
    stored = results.read_report(run)
    assert (stored["ci"] == [row["ci_low"], row["ci_high"]]) == (n_groups is None)


def test_the_live_table_shows_names_as_they_are():
    plan = launch.Plan(
        (launch.Cell("[red]a\x1b[2J", "folder", ("timm", "[/]\u202e:smile:"), {"seed": 1}),),
        pathlib.Path("results"),
    )
    table = _Table(plan)
    console = CleanConsole(width=120, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(table.render())
    text = console.file.getvalue()
    assert r"[red]a\x1b[2J" in text and r"timm:[/]\u202e:smile:" in text
    assert "\x1b" not in text and "seed 1" in text

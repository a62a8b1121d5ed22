"""A run ends with its data, the leaderboard, where the page is and what to type next."""

import re
import shlex

import pytest

import worlds
from biobench import launch, report, results
from biobench.cli import main
from biobench.commands.after import print_after
from biobench.launch import CellState
from published_files import make_result, write_json
from results_world import make_report
from shown import compare, show

MODELS = ("timm:a", "timm:b")


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A plan whose two cells are done, in results that hold a third model."""
    monkeypatch.chdir(tmp_path)
    cells = tuple(launch.Cell("moths", "folder", tuple(m.split(":")), {}) for m in MODELS)
    plan = launch.Plan(cells, tmp_path / "results")
    states = []
    for i, model in enumerate((*MODELS, "baseline:floor")):
        made = make_report(n=38, backbone=model, accuracy=0.9 - 0.3 * i, metric="macro-f1")
        run = results.write_run(plan.results, "moths", tuple(model.split(":")), made)
        if model in MODELS:
            where = str(run.relative_to(plan.results))
            states.append(CellState(cells[i].id, state="done", run=where))
    return plan, states


def test_the_end_of_a_run(ran, capsys, monkeypatch):
    def end(width):
        monkeypatch.setenv("COLUMNS", str(width))
        print_after(*ran)
        return capsys.readouterr().out

    compare("after-a-run", end)


def test_the_leaderboard_is_of_the_whole_results_folder_and_every_command_runs(ran, capsys):
    print_after(*ran)
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("baseline:floor") for line in lines)
    commands = dict(re.findall(r"^([a-z ]+): +(biobench .*)$", "\n".join(lines), re.MULTILINE))
    assert set(commands) == {"as a page", "explained", "next"}
    assert commands["next"] == "biobench compare timm:a timm:b --results results"
    for command in commands.values():
        words = shlex.split(command)
        assert words[0] == "biobench" and main(words[1:]) == 0


def test_of_a_single_model_the_next_command_shows_where_it_is_good(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    plan = launch.Plan((launch.Cell("moths", "folder", ("timm", "a"), {}),), tmp_path / "results")
    run = results.write_run(plan.results, "moths", ("timm", "a"), make_report())
    state = CellState(plan.cells[0].id, state="done", run=str(run.relative_to(plan.results)))
    print_after(plan, [state])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split(": ", 1)[1].strip() == "biobench leaderboard --results results --by class"


def test_where_no_cell_is_done_nothing_is_said(ran, capsys):
    plan, states = ran
    print_after(plan, [CellState(state.cell, state="failed") for state in states])
    assert capsys.readouterr().out == ""


def test_many_models_are_cut_to_twenty_and_the_rest_is_counted(tmp_path):
    for i in range(23):
        results.write_run(tmp_path, "moths", ("timm", f"m{i:02}"), make_report(backbone=f"m{i}"))
    board = report.leaderboard(tmp_path)
    text = show(report.render(board, 100, compact=True), 100)
    assert text.count("timm:m") == 20 and "and 3 more models" in text


def test_a_run_of_pictures_ends_so(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    worlds.folder(tmp_path / "pictures")
    (tmp_path / "pictures" / "ants" / "notes.txt").write_text("-")
    words = ["--tasks", "folder", "--data", "pictures", "--models", "baseline:color-hist"]
    assert main(["run", *words, "--device", "cpu"]) == 0
    text = capfd.readouterr().out
    assert "folder: 24 training examples, 6 test examples, 3 classes" in text
    assert "too small to judge one by one" in text and "ants (2)" in text
    assert "left out, files that are not pictures (1): ants/notes.txt" in text
    assert "95% interval" in text and "biobench report --results results" in text
    assert "of 30" in text


def test_published_scores_hide_no_model_of_ours_and_are_not_what_to_compare_with(
    ran, tmp_path, capsys
):
    plan, states = ran
    rows = [make_result("kabr", f"m{i}.a", 0.99, 0.98, 1.0) for i in range(25)]
    results.import_any(write_json(tmp_path / "r.json", rows), plan.results)
    print_after(launch.Plan(plan.cells[:1], plan.results), states[:1])
    lines = capsys.readouterr().out.splitlines()
    for model in (*MODELS, "baseline:floor"):
        assert any(line.startswith(model) for line in lines)
    assert "and 5 more models" in lines
    assert any("biobench compare timm:a timm:b" in line for line in lines)

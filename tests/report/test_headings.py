"""A kNN, a five-shot or another seed's row never passes for the task's own."""

import dataclasses
import json

import pytest

from biobench import registry, report, results
from biobench.report.headings import find_probe
from biobench.report.selection import select
from results_world import CLOSE, GOOD, POOR, make_report
from shown import show
from site_reader import read_site


def head(keep, **protocol):
    keep("birds", GOOD, **protocol)
    keep("birds", POOR, **protocol)
    board = report.leaderboard(keep.root)
    return board.head("birds"), board


@pytest.mark.parametrize("preset", ["original", "2026"])
@pytest.mark.parametrize("name", registry.list_tasks())
def test_the_usual_probe_is_the_task_s_own(name, preset):
    task = registry.load_task(name)
    protocol = task.protocol(task.Args(datadir="x", protocol=preset))
    assert find_probe(protocol.title, protocol.metric, protocol.preset) == protocol.probe


def test_the_task_s_own_protocol_needs_no_words(keep):
    assert head(keep)[0] == "birds"


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ({"probe": "knn"}, "birds [probe=knn]"),
        ({"n_train": 5}, "birds [n_train=5]"),
        ({"n_train": 50, "n_train_unit": "total"}, "birds [n_train=50 in all]"),
        ({"training_seed": 7}, "birds [seed=7]"),
        ({"probe": "knn", "n_train": 5}, "birds [probe=knn, n_train=5]"),
        ({"folds_test": 5}, "birds [folds_test=5]"),
        ({"debug": True}, "birds [debug=true]"),
    ],
)
def test_what_is_unusual_is_named_in_every_output_though_nothing_else_is_there(
    keep, tmp_path, protocol, words
):
    heading, board = head(keep, **protocol)
    assert heading == words
    parts = words.partition("[")[2].rstrip("]").replace(",", "").split()
    page = read_site(report.write_site(keep.root, tmp_path / "site"))
    found = report.compare(keep.root, GOOD, POOR)
    for text in (
        show(report.render(board, 60), 60),
        page,
        report.to_text(board, "markdown").replace("\\", ""),
        report.to_text(board, "latex").replace("\\", ""),
        show(report.render_comparison(found, 60), 60),
        report.comparison_to_text(found, "latex").replace("\\", ""),
    ):
        assert all(part in text for part in parts)
    # Programs find the task under the name that it always had.
    rows = json.loads(report.to_text(board, "json"))
    assert {(row["task"], row["heading"]) for row in rows} == {("birds", words)}


def test_several_seeds_are_counted_in_the_heading(keep):
    for seed in (1, 2, 3):
        keep("birds", GOOD, training_seed=seed, n_train=5, seed=seed)
    assert select(keep.root).headings == {"birds": "birds [n_train=5, 3 seeds]"}


def test_a_comparison_over_several_protocols_names_its_rows(keep):
    for protocol in ({}, {"probe": "knn"}, {"probe": "knn", "n_train": 5}):
        for model in (GOOD, POOR):
            keep("birds", model, **protocol)
    found = report.compare(keep.root, GOOD, POOR)
    heads = {found.head(task) for task in found.table["task"]}
    assert heads == {
        "birds [n_train=all, probe=ridge]",
        "birds [n_train=all, probe=knn]",
        "birds [n_train=5, probe=knn]",
    }


def keep_folder(keep, model, place, manifest, kind="folder"):
    made = make_report(backbone=model, manifest=manifest)
    config = {"task": "folder", "kind": kind, "model": model, "args": {"datadir": place}}
    return results.write_run(keep.root, "folder", tuple(model.split(":", 1)), made, config=config)


def test_several_data_sets_of_the_folder_kind_carry_their_folders_names(keep):
    for model in (GOOD, CLOSE):
        keep_folder(keep, model, "/data/moths", "1" * 64)
        keep_folder(keep, model, "/data/beetles/", "2" * 64)
    board = report.leaderboard(keep.root)
    assert {board.head(task) for task in board.tasks} == {"folder [moths]", "folder [beetles]"}
    assert set(board.tasks) == {"folder [data=11111111]", "folder [data=22222222]"}


def test_folders_of_one_name_are_told_apart_by_the_folder_above(keep):
    keep_folder(keep, GOOD, "/one/pictures", "1" * 64)
    keep_folder(keep, GOOD, "/two/pictures", "2" * 64)
    heads = set(select(keep.root).headings.values())
    assert heads == {"folder [one/pictures]", "folder [two/pictures]"}


def test_one_folder_whose_pictures_changed_is_told_apart_by_its_data(keep):
    keep_folder(keep, GOOD, "/data/moths", "1" * 64)
    keep_folder(keep, GOOD, "/data/moths", "2" * 64)
    heads = set(select(keep.root).headings.values())
    assert heads == {"folder [data=11111111]", "folder [data=22222222]"}


def test_no_two_columns_share_a_heading(keep):
    chosen = None
    for name in ("a", "b"):
        for probe in ("knn", "ridge"):
            keep(f"birds-{name}", GOOD, probe=probe)
    chosen = select(keep.root)
    assert len(set(chosen.headings.values())) == len(chosen.headings) == 4
    assert dataclasses.replace(chosen, headings={}).with_headings().runs.equals(chosen.runs)

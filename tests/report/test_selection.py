import pytest

from biobench.errors import BadInput
from biobench.report.selection import select


def test_one_protocol_keeps_the_task_s_name(keep):
    keep("birds", "timm:a")
    keep("birds", "timm:b")
    chosen = select(keep.root)
    assert chosen.runs["column"].to_list() == ["birds", "birds"]
    assert sorted(chosen.runs["row"]) == ["timm:a", "timm:b"] and chosen.split == []


def test_protocols_of_one_task_are_told_apart_by_what_differs(keep):
    for n_train in (-1, 10):
        for seed in (1, 2):
            keep("birds", "timm:a", n_train=n_train, probe_seed=seed)
    assert sorted(select(keep.root).runs["column"]) == [
        "birds [n_train=10, probe_seed=1]",
        "birds [n_train=10, probe_seed=2]",
        "birds [n_train=all, probe_seed=1]",
        "birds [n_train=all, probe_seed=2]",
    ]


def test_other_data_is_another_column(keep):
    keep("birds", "timm:a", manifest="1" * 64)
    keep("birds", "timm:b", manifest="2" * 64)
    chosen = select(keep.root)
    assert sorted(chosen.runs["column"]) == ["birds [data=11111111]", "birds [data=22222222]"]
    assert chosen.split == ["birds"]


def test_a_probe_s_parameters_are_named_only_where_its_name_does_not_tell(keep):
    keep("birds", "timm:a", probe="ridge", probe_params={"cv": 5})
    keep("birds", "timm:a", probe="knn", probe_params={"k": 5})
    assert sorted(select(keep.root).runs["column"]) == ["birds [probe=knn]", "birds [probe=ridge]"]
    keep("birds", "timm:a", probe="knn", probe_params={"k": 9})
    assert "birds [probe=knn, probe_params.cv=none, probe_params.k=9]" in set(
        select(keep.root).runs["column"]
    )


def test_weights_under_one_name_are_told_apart_by_their_digest(keep):
    keep("birds", "timm:a", backbone="1" * 16)
    keep("birds", "timm:a", backbone="2" * 16)
    keep("birds", "timm:b")
    rows = sorted(select(keep.root).runs["row"])
    assert rows == ["timm:a @11111111", "timm:a @22222222", "timm:b"]


def test_the_newest_run_of_a_cell_stands_for_it_and_older_ones_are_counted(keep):
    keep("birds", "timm:a", age=9)
    new = keep("birds", "timm:a")
    chosen = select(keep.root)
    assert (chosen.runs["run"].to_list(), chosen.n_older) == ([str(new)], 1)


def test_patterns_and_protocol_values_keep_what_they_name(keep):
    keep("birds", "timm:a", n_train=10)
    keep("birds", "timm:a")
    keep("beetles", "open-clip:b", extra=True)
    assert select(keep.root, tasks=["b*"], models=["timm:*"]).runs.height == 2
    assert select(keep.root, where={"n_train": "10"}).runs["column"].to_list() == ["birds"]
    assert select(keep.root, where={"n_train": "all"}).runs.height == 2
    assert select(keep.root, where={"extra": "none"}).runs.height == 2
    assert select(keep.root, where={"extra": "true"}).runs["task"].to_list() == ["beetles"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tasks": ["bird"]}, "Did you mean 'birds'"),
        ({"models": ["zzz"]}, "There are: timm:a"),
        ({"where": {"ntrain": "1"}}, "there are: data, metric, n_train, probe, seed"),
        ({"where": {"n_train": "11"}}, "there are: all"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(keep, options, words):
    keep("birds", "timm:a")
    with pytest.raises(BadInput, match=words):
        select(keep.root, **options)


def test_an_empty_folder_says_how_to_fill_it(keep):
    with pytest.raises(BadInput, match="biobench run"):
        select(keep.root)

"""A process's share of the cores."""

import pytest

from biobench.launch.cores import THREAD_VARIABLES, default_workers, divide_threads


@pytest.mark.parametrize(
    ("given", "cores", "expected"),
    [("", 3, "3"), ("1", 3, "1"), ("8", 3, "3"), ("many", 3, "3")],
)
def test_libraries_get_the_share_or_less_where_the_user_said_so(
    monkeypatch, given, cores, expected
):
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, given)
    assert set(divide_threads(cores).values()) == {expected}


def test_a_single_core_decodes_in_the_cells_own_process():
    assert [default_workers(cores) for cores in (1, 2, 4, 64)] == [0, 2, 4, 4]

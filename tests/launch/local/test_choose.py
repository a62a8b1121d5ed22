"""Which cell a free worker takes, by properties over whole simulated runs, and on which device."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench import features
from biobench.launch.local import choose, get_devices
from biobench.launch.plan import Cell


def make_cell(model: str, task: str, seed: int) -> Cell:
    return Cell(task, task, ("fake", model), {"datadir": task, "seed": seed})


cells = st.lists(
    st.builds(make_cell, st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 2)),
    max_size=12,
    unique_by=lambda cell: cell.id,
)


@settings(deadline=None)
@given(cells, st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_cell_runs_once_and_no_pictures_are_embedded_twice_at_a_time(plan, jobs, random):
    waiting = list(plan)
    running: dict[int, Cell] = {}
    loaded: dict[int, object] = {}
    warm: set[object] = set()
    ran = []
    while waiting or running:
        for worker in range(jobs):
            if worker in running:
                continue
            cell = choose(waiting, loaded.get(worker), list(running.values()), warm)
            if cell is None:
                # It only waits for pictures that somebody embeds.
                assert {c.feature_key for c in waiting} <= {
                    c.feature_key for c in running.values()
                } - warm
                continue
            embedding = {c.feature_key for c in running.values()} - warm
            assert cell.feature_key not in embedding
            waiting.remove(cell)
            running[worker], loaded[worker] = cell, cell.model
            ran.append(cell.id)
        assert running or not waiting
        if running:
            ended = random.choice(sorted(running))
            warm.add(running.pop(ended).feature_key)
    assert sorted(ran) == sorted(cell.id for cell in plan)


@settings(deadline=None)
@given(cells)
def test_a_worker_stays_with_its_model_and_goes_in_the_plans_order(plan):
    waiting, model, ran = list(plan), None, []
    while waiting:
        cell = choose(waiting, model, [], set())
        waiting.remove(cell)
        ran.append(cell)
        model = cell.model
    models = [cell.model for cell in ran]
    assert len(set(models)) == sum(a != b for a, b in zip([None, *models], models, strict=False))
    for model in set(models):
        mine = [cell for cell in plan if cell.model == model]
        assert [cell for cell in ran if cell.model == model] == mine


def test_two_workers_begin_with_two_models():
    plan = [make_cell(model, task, 0) for model in "ab" for task in "xy"]
    first = choose(plan, None, [], set())
    second = choose(plan[1:], None, [first], set())
    assert (first.model[1], second.model[1]) == ("a", "b")


@pytest.mark.parametrize(
    ("device", "jobs", "dealt"),
    [
        ("cuda", 5, ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]),
        ("auto", 2, ["cuda:0", "cuda:1"]),
        ("cuda:2", 2, ["cuda:2", "cuda:2"]),
        ("cuda", 1, ["cuda"]),
        ("cpu", 2, ["cpu", "cpu"]),
    ],
)
def test_all_gpus_are_dealt_out_in_turn_but_a_named_one_is_kept(device, jobs, dealt, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert str(features.resolve_device(device)) == ("cuda" if device == "auto" else device)
    assert get_devices(device, jobs) == dealt

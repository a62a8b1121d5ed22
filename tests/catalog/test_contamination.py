"""What pretraining has seen of a task follows from the data sets, by rule."""

import copy
import itertools

import pytest

from biobench.catalog import (
    SEEN,
    STATUSES,
    contamination,
    find_checkpoint,
    find_dataset,
    judge,
    list_contents,
    list_datasets,
    list_tasks,
    read_checkpoints,
)
from biobench.errors import BadInput

TABLE = {
    "sources": {
        "photos": {"title": "Photos", "through": ["hub"], "source": "s"},
        "hub": {"title": "Hub", "source": "s"},
    },
    "tasks": {
        "birds": {"sources": ["photos"], "because": "made of photos"},
        "films": {"sources": ["studio"], "since": 2023, "because": "filmed for it"},
        "riddle": {"sources": [], "because": "not known"},
    },
    "datasets": {
        "tested": {"title": "Tested", "holds": ["birds:test"], "source": "paper 1"},
        "trained": {"title": "Trained", "holds": ["birds:train", "photos"], "source": "paper 2"},
        "alike": {"title": "Alike", "holds": ["photos"], "source": "paper 3"},
        "hubbed": {"title": "Hubbed", "holds": ["hub"], "source": "paper 4"},
        "web": {"title": "Web", "source": "paper 5"},
        "old": {"title": "Old", "closed": 2022, "source": "paper 6"},
        "whole": {"title": "Whole", "is_complete": True, "source": "paper 7"},
        "mixed": {
            "title": "Mixed",
            "parts": ["trained", "whole"],
            "is_complete": True,
            "source": "paper 8",
        },
        "open": {"title": "Open", "parts": ["whole"], "source": "paper 9"},
    },
}
TABLE["sources"]["studio"] = {"title": "Studio", "source": "s"}


@pytest.fixture
def table(monkeypatch):
    table = copy.deepcopy(TABLE)
    monkeypatch.setattr(contamination, "_read", lambda: table)
    judge.cache_clear()
    yield table
    judge.cache_clear()


@pytest.mark.parametrize(
    ("data", "task", "status"),
    [
        (("tested",), "birds", "test"),
        (("trained",), "birds", "train"),
        (("alike",), "birds", "source"),
        (("hubbed",), "birds", "source"),
        (("web",), "birds", "unknown"),
        (("old",), "birds", "unknown"),
        (("old",), "films", "none"),
        (("whole",), "birds", "none"),
        (("whole",), "riddle", "unknown"),
        (("mixed",), "birds", "train"),
        (("mixed",), "films", "unknown"),
        (("open",), "birds", "unknown"),
        (("whole", "web"), "birds", "unknown"),
        (("web", "alike"), "birds", "source"),
        (("alike", "trained"), "birds", "train"),
        (("trained", "tested", "whole"), "birds", "test"),
    ],
)
def test_the_worst_that_any_data_set_says_is_what_is_found(table, data, task, status):
    assert judge(data, task).status == status
    assert {judge(order, task).status for order in itertools.permutations(data)} == {status}


def test_a_finding_says_by_whose_word(table):
    found = judge(("mixed",), "birds")
    assert found.is_seen and "Trained, a part of Mixed," in found.because
    assert "[paper 2]" in found.because
    assert "2023" in judge(("old",), "films").because and "2022" in judge(("old",), "films").because


def test_what_is_in_a_data_set_are_its_parts_and_their_sources(table):
    assert list_contents(("mixed",)) == ["mixed", "trained", "photos", "whole"]


def test_no_data_set_makes_what_was_seen_unseen():
    for one in read_checkpoints():
        for task in list_tasks():
            alone = [judge((key,), task).status for key in one.data]
            assert one.judge(task).status == min(alone, key=STATUSES.index)
            assert (task in one.seen) == (one.judge(task).status in SEEN)


def test_every_claim_is_of_something_that_is_there():
    known = {f"{task}:{split}" for task in list_tasks() for split in ("train", "test")}
    known |= set(contamination._read()["sources"])
    for key in list_datasets():
        one = find_dataset(key)
        assert set(one.holds) <= known and set(one.parts) <= set(list_datasets()), key
        assert one.source


@pytest.mark.parametrize(
    ("name", "task", "status"),
    [
        ("open-clip:hf-hub:imageomics/bioclip", "inat21", "train"),
        ("open-clip:hf-hub:imageomics/bioclip", "newt", "source"),
        ("open-clip:hf-hub:imageomics/bioclip-2", "plantnet", "source"),
        ("open-clip:hf-hub:BGLab/BioTrove-CLIP", "inat21", "source"),
        ("timm:hf-hub:BVRA/MegaDescriptor-L-384", "beluga", "test"),
        ("timm:resnet50.a1_in1k", "imagenet1k", "train"),
        ("timm:resnet50.a1_in1k", "kabr", "none"),
        ("open-clip:ViT-B-16/openai", "inat21", "unknown"),
        ("timm-vit:vit_base_patch14_dinov2.lvd142m", "imagenet1k", "train"),
        ("timm-vit:vit_large_patch16_dinov3.sat493m", "inat21", "none"),
    ],
)
def test_what_papers_say_of_well_known_checkpoints_is_found(name, task, status):
    assert find_checkpoint(name).judge(task).status == status


def test_an_unknown_data_set_is_named_with_the_closest():
    with pytest.raises(BadInput, match="Did you mean 'laion-2b'"):
        find_dataset("laion-2")

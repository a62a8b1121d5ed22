"""Weights are looked for in the cache, then on the hub; what the hub refuses is said."""

import pathlib

import httpx2
import huggingface_hub
import pytest
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from biobench.errors import BadInput
from biobench.third_party_models import weights

REQUEST = httpx2.Request("GET", "https://hub/lab/m")
FILES = ("model.safetensors", "pytorch_model.bin")


class Hub:
    """A hub and cache of which it is known what they hold; notes what it is asked."""

    def __init__(self, *, cached=(), online=(), refusal: Exception | None = None):
        self.cached, self.online, self.refusal = cached, online, refusal
        self.asked: list[tuple[str, bool]] = []

    def hf_hub_download(self, repo, filename, *, revision, cache_dir, local_files_only):
        self.asked.append((filename, local_files_only))
        if local_files_only:
            if filename not in self.cached:
                raise LocalEntryNotFoundError("not in the cache")
        elif self.refusal:
            raise self.refusal
        elif filename not in self.online:
            raise EntryNotFoundError("404")
        return f"/cache/{repo}/{revision}/{filename}"


def install(monkeypatch, hub: Hub, *, reachable: bool) -> Hub:
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub.hf_hub_download)
    monkeypatch.setattr(weights, "is_reachable", lambda url="": reachable)
    return hub


def test_cached_weights_are_found_without_asking_the_hub(monkeypatch):
    hub = install(monkeypatch, Hub(cached=["pytorch_model.bin"]), reachable=True)
    found = weights.find_on_hub("m", "lab/m", FILES)
    assert found is not None and found.name == "pytorch_model.bin"
    assert all(local for _, local in hub.asked)


def test_the_hub_is_asked_for_each_name_that_the_weights_may_have(monkeypatch):
    hub = install(monkeypatch, Hub(online=["pytorch_model.bin"]), reachable=True)
    found = weights.find_on_hub("m", "lab/m@v2", FILES)
    assert str(found) == "/cache/lab/m/v2/pytorch_model.bin"
    assert hub.asked[2:] == [("model.safetensors", False), ("pytorch_model.bin", False)]


def test_a_hub_that_cannot_be_reached_is_not_asked(monkeypatch):
    hub = install(monkeypatch, Hub(online=FILES), reachable=False)
    assert weights.find_on_hub("m", "lab/m", FILES) is None
    assert all(local for _, local in hub.asked)


def test_a_refusal_of_the_hub_is_a_sentence_with_its_cause(monkeypatch):
    refusal = OSError("403 Forbidden: accept the licence of lab/m first\nmore text")
    install(monkeypatch, Hub(refusal=refusal), reachable=True)
    with pytest.raises(BadInput, match=r"'m' cannot be downloaded from lab/m: 403 .* first$"):
        weights.find_on_hub("m", "lab/m", FILES)


@pytest.mark.parametrize(
    "kind, says",
    [
        (
            GatedRepoError,
            r"accept their terms: do so at https?://\S+/lab/m, and run `hf auth login`",
        ),
        (RepositoryNotFoundError, "There is no repository lab/m .* or it is private"),
        (RevisionNotFoundError, "lab/m .* has no revision 'v2'"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_with_what_to_do(kind, says, monkeypatch):
    refusal = kind("401\nfurther lines", response=httpx2.Response(401, request=REQUEST))
    install(monkeypatch, Hub(refusal=refusal), reachable=True)
    with pytest.raises(BadInput, match=says) as caught:
        weights.find_on_hub("m", "lab/m@v2", FILES)
    assert "\n" not in str(caught.value)


def test_the_commit_of_a_file_is_told_where_the_cache_knows_it():
    commit = "0123456789" * 4
    path = pathlib.Path("/cache/models--lab--m/snapshots") / commit / "model.safetensors"
    assert weights.get_commit(path) == commit
    assert weights.describe_repo("lab/m@main", path).endswith(f"lab/m at commit {commit}")
    assert weights.describe_repo("lab/m@main", path.parent).endswith(f"lab/m at commit {commit}")
    assert weights.get_commit(pathlib.Path("/cache/lab/m/v2/model.safetensors")) == ""


def test_a_repository_without_the_adapters_config_is_refused(monkeypatch):
    install(monkeypatch, Hub(cached=FILES), reachable=False)
    with pytest.raises(BadInput, match=r"has no config\.json"):
        weights.find_snapshot("hf-hub:lab/m", FILES, "config.json")


def test_offline_mode_is_believed_without_asking(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(weights, "_answers", lambda url: pytest.fail("asked"))
    assert weights.is_reachable() is False

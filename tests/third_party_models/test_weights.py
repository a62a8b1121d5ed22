"""Weights are looked for in the cache, then on the hub; what the hub refuses is said."""

import huggingface_hub
import pytest
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from biobench.errors import BadInput
from biobench.third_party_models import weights

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


def test_a_repository_without_the_adapters_config_is_refused(monkeypatch):
    install(monkeypatch, Hub(cached=FILES), reachable=False)
    with pytest.raises(BadInput, match=r"has no config\.json"):
        weights.find_snapshot("hf-hub:lab/m", FILES, "config.json")


def test_offline_mode_is_believed_without_asking(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(weights, "_answers", lambda url: pytest.fail("asked"))
    assert weights.is_reachable() is False

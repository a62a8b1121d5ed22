"""Shapes are checked in tests: every jaxtyping annotation of biobench by beartype."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

from jaxtyping import install_import_hook

hook = install_import_hook("biobench", "typecheck.check")

import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """No test reads or fills the user's feature cache."""
    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))

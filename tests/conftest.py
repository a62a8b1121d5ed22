"""Shapes are checked in tests: every jaxtyping annotation of biobench by beartype."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"

from jaxtyping import install_import_hook

hook = install_import_hook("biobench", "typecheck.check")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

# How long an example takes says something of the machine alone.
hypothesis.settings.register_profile("biobench", deadline=None)
hypothesis.settings.load_profile("biobench")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """No test reads or fills the user's feature cache, or makes the user's key."""
    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


def pytest_sessionfinish(session, exitstatus):
    """On CI a missing dependency is a failure, not a skip."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("CI") == "true" and skipped and exitstatus == 0:
        for report in skipped:
            reporter.write_line(f"skipped on CI: {report.nodeid} {report.longrepr}")
        session.exitstatus = 1

"""The benchmark's simulation, small: intervals cover where the textbook ones do not."""

import importlib.util
import pathlib

import pytest
import scipy.stats

PATH = pathlib.Path(__file__).parents[2] / "benchmarks" / "coverage.py"


@pytest.fixture(scope="module")
def coverage():
    spec = importlib.util.spec_from_file_location("benchmark_of_coverage", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.N_TRUTH = 800
    return module


@pytest.mark.parametrize(
    "regime",
    [(100, 1.5, 0.9, 200), (1000, 0.0, 0.5, 200), (2, 1.0, 0.9, 400, 20, 0.3)],
    ids=["rare classes", "single examples", "groups"],
)
def test_intervals_cover_nearly_as_often_as_they_say(coverage, regime):
    shares, *_ = coverage.cover(coverage.Regime(*regime), 100)
    for share in shares:
        n = round(100 * share)
        assert scipy.stats.binomtest(n, 100, 0.93, alternative="less").pvalue > 1e-3


def test_the_textbook_intervals_do_not_cover_where_classes_have_single_examples(coverage):
    shares = coverage.candidates(coverage.Regime(1000, 0.0, 0.5, 200), 60)
    macro_accuracy = {name: found[1] for name, found in shares.items()}
    assert macro_accuracy["shipped"] >= 0.88
    assert max(macro_accuracy[name] for name in ("percentile", "centred SE", "logit")) < 0.95
    assert min(macro_accuracy.values()) < 0.9

"""The benchmark's simulation, small: intervals cover where the textbook ones do not."""

import importlib.util
import pathlib

import pytest
import scipy.stats

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def coverage():
    spec = importlib.util.spec_from_file_location(
        "benchmark_of_coverage", BENCHMARKS / "coverage.py"
    )
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        spec.loader.exec_module(module)
    module.N_TRUTH = 800
    return module


@pytest.mark.parametrize(
    "regime",
    [(100, 1.5, 0.9, 200), (1000, 0.0, 0.5, 200), (2, 1.0, 0.9, 400, 20, 0.3)],
    ids=["rare classes", "single examples", "groups"],
)
def test_intervals_cover_nearly_as_often_as_they_say(coverage, regime):
    for share in coverage.cover(coverage.Regime(*regime), 100).shares():
        n = round(100 * share)
        assert scipy.stats.binomtest(n, 100, 0.93, alternative="less").pvalue > 1e-3


def test_species_at_few_uneven_cameras_are_covered_without_waste(coverage):
    found = coverage.cover(coverage.Cameras("cameras", n=1500), 60)
    coverages, widths = found.shares(), found.width
    assert min(coverages[1:]) >= 0.86
    assert all(0.85 < width < 1.17 for width in widths[1:]), "the bootstrap's is 1.2 and more"
    assert found.warned.all(), "so few cameras are always said"


def test_a_folder_of_thirty_pictures_is_warned_of_however_it_comes_out(coverage):
    for accuracy in (0.5, 0.95):
        folder = coverage.Strata("folder", 5, 6, accuracy, question=5)
        assert coverage.cover(folder, 20).warned.all()


def test_the_textbook_intervals_do_not_cover_where_classes_have_single_examples(coverage):
    shares = coverage.candidates(coverage.Regime(1000, 0.0, 0.5, 200), 60)
    macro_accuracy = {name: found[1] for name, found in shares.items()}
    assert macro_accuracy["shipped"] >= 0.88
    assert max(macro_accuracy[name] for name in ("percentile", "centred SE", "logit")) < 0.95
    assert min(macro_accuracy.values()) < 0.9

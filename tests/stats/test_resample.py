"""Resamples: their law, and that drawing merged units changes nothing."""

import numpy as np
import pytest
import scipy.stats

from biobench.metrics import MeanScore
from biobench.stats.coded import from_table
from biobench.stats.resample import Resampler, draw_copies
from made_predictions import make_table


@pytest.mark.parametrize("size", [1, 2, 17, 200, 5000])
def test_copies_of_an_atom_follow_poissons_law(size):
    copies = draw_copies(np.full(40, size), 2000, seed=1).ravel()
    assert copies.mean() == pytest.approx(size, rel=0.02)
    assert copies.var() == pytest.approx(size, rel=0.03)
    for p in (0.05, 0.5, 0.95):
        at = scipy.stats.poisson.ppf(p, size)
        expected = scipy.stats.poisson.cdf(at, size)
        assert np.mean(copies <= at) == pytest.approx(expected, abs=0.01)


def test_no_resample_is_empty():
    assert draw_copies(np.array([1, 1]), 5000, seed=0).sum(axis=0).min() >= 1


def test_units_that_look_the_same_are_drawn_together_and_sum_to_the_same_law():
    table = make_table(400, n_classes=3)
    merged = Resampler([from_table(table, by_group=False)])
    apart = Resampler([from_table(table, by_group=False)] * 3)
    assert len(merged.size) == 9 and len(apart.size) == 400
    ours, theirs = (r.replicates(MeanScore(), 4000, seed=5)[0] for r in (merged, apart))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)
    assert np.quantile(ours, 0.1) == pytest.approx(np.quantile(theirs, 0.1), abs=0.005)


def test_models_share_their_resamples():
    table = make_table(200)
    coded = from_table(table, by_group=False)
    replicates = Resampler([coded, coded]).replicates(MeanScore(), 50, seed=0)
    assert np.array_equal(replicates[0], replicates[1])

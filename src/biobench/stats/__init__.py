"""Every number that biobench prints, with its uncertainty.

    low, high = stats.confidence_interval(report.examples, MacroF1())
    interval = stats.interval_from_table(predictions, get_metric("macro-f1"), by_group=True)

The methods, and the simulations that chose them, are written up in docs/statistics.md.
"""

from biobench.stats.association import LEAST_MODELS, RankCorrelation, rank_correlation
from biobench.stats.binning import find_bins, list_columns_of
from biobench.stats.by_part import breakdown
from biobench.stats.comparing import Comparison, compare
from biobench.stats.intervals import Interval, confidence_interval, interval_from_table
from biobench.stats.pair import compare_models
from biobench.stats.seeds import join_seeds, pool_intervals, split_seeds
from biobench.stats.simultaneous import holm
from biobench.stats.suites import MEAN, Suite, leaderboard, suite

__all__ = [
    "LEAST_MODELS",
    "MEAN",
    "Comparison",
    "Interval",
    "RankCorrelation",
    "Suite",
    "breakdown",
    "compare",
    "compare_models",
    "confidence_interval",
    "find_bins",
    "holm",
    "interval_from_table",
    "join_seeds",
    "leaderboard",
    "list_columns_of",
    "pool_intervals",
    "rank_correlation",
    "split_seeds",
    "suite",
]

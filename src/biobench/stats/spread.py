"""How far a score would move on another test set: its variance, and the interval made of it.

    design = design_of(coded, metric)
    spread = spread_of(coded, metric, score, replicates, design)
    low, high = interval(score, spread, confidence)

The variance is that of the bootstrap, put right where the bootstrap is known to be wrong, and for a
macro average over groups that of leaving groups out; which corrections, and the simulation that
chose them, stand in docs/statistics.md.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from scipy import special

from biobench.metrics import Metric, WeightedMetric, get_bounds, needs_labels
from biobench.stats.coded import Coded
from biobench.stats.jackknife import SharedTruth, is_known, variance_over_groups

__all__ = [
    "Design",
    "Spread",
    "design_of",
    "designs_of",
    "df_of",
    "interval",
    "quantile",
    "spread_of",
    "spread_of_callable",
    "variance_of",
]

_FEW_ERRORS = 40
"""errors (or hits) at which half of the variance of equally hard classes is a floor."""

_FEW_COUNTED = 3.5
"""wrong or right answers under which Wilson's interval is modified: what rounds to three."""


@dataclasses.dataclass(frozen=True)
class Spread:
    """The sampling variance of a score between `lower` and `upper`, the metric's range."""

    variance: float
    df: float
    """degrees of freedom of the variance; infinite where each example is its own unit."""
    size: float
    """how many independent examples the test set is worth where every answer is the same."""
    lower: float = 0.0
    upper: float = 1.0


@dataclasses.dataclass(frozen=True)
class Design:
    """What the truth, the units and the right answers say of a test set."""

    correction: float
    """the bootstrap's variance of the score times this is unbiased; see docs/statistics.md."""
    size: float
    """independent examples that the test set is worth (Kish's effective size)."""
    df: float
    n_errors: float
    """how many equally heavy errors, or right answers where they are fewer, the score rests on."""
    n_weighty: float = np.inf
    """how many units of equal weight the metric's units are worth: Kish's number."""
    n_alone: float = 0.0
    """share of the classes whose examples are all in one unit, for a macro average."""
    variance: float | None = None
    """of the score, where it is not that of the resamples times the correction."""
    rarer: float = 0.5
    """share of the metric's weight that is wrong, or right where that is less; one half where
    answers are not right or wrong."""


def spread_of(
    coded: Coded,
    metric: Metric,
    score: float,
    replicates: Float64[np.ndarray, " b"],
    design: Design,
) -> Spread:
    """The spread of a shipped metric's score, from its value on resamples."""
    lower, upper = get_bounds(metric, coded.score)
    variance = design.variance
    if variance is None:
        variance = variance_of(replicates, score) * design.correction
    if _is_right_or_wrong(coded, metric):
        share = _FEW_ERRORS / (_FEW_ERRORS + design.n_errors)
        variance = max(variance, share * score * (1 - score) / design.size)
    return Spread(variance, df_of(design.df, len(replicates)), design.size, lower, upper)


def spread_of_callable(coded: Coded, score: float, replicates: Float64[np.ndarray, " b"]) -> Spread:
    """The spread of any function's value: the bootstrap's, in [0, 1] if no value is outside."""
    inside = min(score, replicates.min()) >= 0 and max(score, replicates.max()) <= 1
    lower, upper = (0.0, 1.0) if inside else (-np.inf, np.inf)
    df = df_of(np.inf, len(replicates))
    return Spread(variance_of(replicates, score), df, float(coded.n_units), lower, upper)


def design_of(coded: Coded, metric: Metric) -> Design:
    """Corrections and effective size for a metric's score of the predictions."""
    return designs_of([coded], metric)[0]


def designs_of(models: Sequence[Coded], metric: Metric) -> list[Design]:
    """Those of each model; what truth and units alone decide is worked out once for them all."""
    if isinstance(metric, WeightedMetric):
        return [_design_of_weighted(model, metric) for model in models]
    found: list[Design] = []
    truth = None
    for model in models:
        if truth is None or not truth.is_of(model):
            truth = _Truth.of(model, metric)
        found.append(_design_given(truth, model, metric))
    return found


@dataclasses.dataclass(frozen=True)
class _Truth:
    """What the truth and the units of a test set say, whatever is predicted."""

    true: Int64[np.ndarray, " n"] | None
    unit: Int64[np.ndarray, " n"]
    label: Int64[np.ndarray, " n"]
    """the class of each example; 0 of all where all examples count the same."""
    n: Float64[np.ndarray, " c"]
    """examples of each class."""
    squares: Float64[np.ndarray, " c"]
    """of the numbers of its examples in each unit, their sum."""
    weight: Float64[np.ndarray, " n"]
    correction: float
    n_weighty: float
    n_alone: float
    per_unit: Float64[np.ndarray, " u"]
    shared: SharedTruth | None

    @classmethod
    def of(cls, coded: Coded, metric: Metric) -> "_Truth":
        label = coded.true if metric.macro else None
        label = np.zeros(coded.n, np.int64) if label is None else label
        n = np.bincount(label).astype(np.float64)
        pairs, count = np.unique(label * coded.n_units + coded.unit, return_counts=True)
        squares = np.bincount(pairs // coded.n_units, count.astype(np.float64) ** 2)
        weight = 1 / n[label]
        is_grouped = coded.n_units < coded.n
        return cls(
            true=coded.true,
            unit=coded.unit,
            label=label,
            n=n,
            squares=squares,
            weight=weight,
            correction=_correction(n**2 / squares) if metric.macro else 1.0,
            n_weighty=_effective_number(np.bincount(coded.unit, weight)),
            n_alone=float(np.mean(squares == n**2)) if metric.macro else 0.0,
            per_unit=np.bincount(coded.unit).astype(np.float64),
            shared=SharedTruth.of(coded) if is_grouped and is_known(metric) else None,
        )

    def is_of(self, coded: Coded) -> bool:
        """Whether a model's predictions are of this very truth, in these units."""
        return coded.true is self.true and coded.unit is self.unit


def _design_given(truth: _Truth, coded: Coded, metric: Metric) -> Design:
    right = coded.score
    if needs_labels(metric):
        right = (coded.true == coded.pred).astype(np.float64)
    label, n, weight = truth.label, truth.n, truth.weight
    alike = _intraclass_correlation(coded, right, truth)
    size = len(n) ** 2 / np.sum((1 + (truth.squares / n - 1) * alike) / n)
    n_errors = min(
        _effective_number(np.bincount(coded.unit, weight * right)),
        _effective_number(np.bincount(coded.unit, weight * (1 - right))),
    )
    share_right = float(np.average(right, weights=weight))
    design = Design(
        correction=truth.correction,
        size=float(size),
        df=np.inf,
        n_errors=n_errors,
        n_weighty=truth.n_weighty,
        n_alone=truth.n_alone,
        rarer=min(share_right, 1 - share_right) if _is_right_or_wrong(coded, metric) else 0.5,
    )
    if coded.n_units == coded.n:
        return design
    per_unit = truth.per_unit
    rest = np.bincount(coded.unit, weight * (right - (np.bincount(label, right) / n)[label]))
    return dataclasses.replace(
        design,
        correction=truth.correction * _leverage(per_unit, per_unit * (1 + (per_unit - 1) * alike)),
        df=_degrees_of_freedom(rest),
        variance=variance_over_groups(coded, metric, shared=truth.shared)
        if truth.shared is not None
        else None,
    )


def _is_right_or_wrong(coded: Coded, metric: Metric) -> bool:
    """Whether each answer counts as 1 or 0."""
    return coded.rows is None and bool(needs_labels(metric) or np.isin(coded.score, (0, 1)).all())


def _design_of_weighted(coded: Coded, metric: WeightedMetric) -> Design:
    """From what each unit contributes to the score: its slope by the unit's weight."""
    rest = np.bincount(coded.unit, metric.contributions(coded.rows, coded.n))
    size = metric.count_independent(coded.rows, coded.n) * coded.n_units / coded.n
    correction = coded.n_units / max(coded.n_units - 1, 1)
    return Design(correction, max(size, 1.0), _degrees_of_freedom(rest), np.inf)


def interval(score: float, spread: Spread, confidence: float) -> tuple[float, float]:
    """Wilson's interval for a score with that variance; it contains the score.

    The variance says how many independent examples would spread as much (Korn and Graubard 1998);
    Wilson's interval is that of a proportion among so many, modified where up to three of them are
    wrong or right (Brown, Cai and DasGupta 2001), where else it covers as little as 84%.
    """
    q = quantile(confidence, spread.df)
    if q == 0 or spread.lower == spread.upper:
        return score, score
    if not np.isfinite(spread.lower):
        half = q * spread.variance**0.5 if np.isfinite(q) else np.inf
        return score - half, score + half
    if not np.isfinite(q):
        return spread.lower, spread.upper
    width = spread.upper - spread.lower
    p = (score - spread.lower) / width
    variance = spread.variance / width**2
    size = p * (1 - p) / variance if variance > 0 and 0 < p < 1 else spread.size
    centre = (p + q * q / (2 * size)) / (1 + q * q / size)
    half = q / (1 + q * q / size) * np.sqrt(p * (1 - p) / size + (q / (2 * size)) ** 2)
    low = min(centre - half, _least_mean(p * size, q) / size)
    high = max(centre + half, 1 - _least_mean((1 - p) * size, q) / size)
    low = spread.lower + width * max(0.0, low)
    high = spread.lower + width * min(1.0, high)
    return float(min(score, low)), float(max(score, high))


def _least_mean(count: float, q: float) -> float:
    """Of a Poisson number of which so few are found, that is: else no bound."""
    if not 0 < count < _FEW_COUNTED:
        return np.inf
    return float(special.gammaincinv(count, 2 * special.ndtr(-q)))


def quantile(confidence: float, df: float) -> float:
    """How many standard errors an interval of that confidence (percent) reaches to each side."""
    p = 0.5 + confidence / 200
    return float(special.ndtri(p) if np.isinf(df) else special.stdtrit(df, p))


def variance_of(replicates: Float64[np.ndarray, " b"], score: float = 0.0) -> float:
    """The variance of a statistic over resamples; of a single one, from the statistic itself."""
    if len(replicates) == 1:
        return float((replicates[0] - score) ** 2)
    return float(np.var(replicates, ddof=1))


def df_of(df: float, n_resamples: int) -> float:
    """Degrees of freedom of a variance that n_resamples resamples of the units gave."""
    # Few resamples know the variance as badly as few units do.
    return 1 / (1 / df + 1 / max(n_resamples - 1, 1))


def _effective_number(weight: Float64[np.ndarray, " u"]) -> float:
    """Kish's: how many equal weights vary as much as these."""
    return float(weight.sum() ** 2 / np.sum(weight**2)) if weight.any() else 0.0


def _degrees_of_freedom(rest: Float64[np.ndarray, " u"]) -> float:
    """Of the variance of a sum of units that lie so far from their mean (Satterthwaite's).

    Few units that lie far out, be they large or unlike the others, leave few degrees of freedom.
    """
    if not rest.any():
        return float(max(len(rest) - 1, 1))
    kurtosis = len(rest) * np.sum(rest**4) / np.sum(rest**2) ** 2
    return float(np.clip(2 * len(rest) / max(kurtosis - 1, 1e-9), 1, max(len(rest) - 1, 1)))


def _leverage(per_unit: Float64[np.ndarray, " u"], variance: Float64[np.ndarray, " u"]) -> float:
    """What residuals from a mean that large units pull towards themselves fall short by."""
    share = per_unit / per_unit.sum()
    left = 1 - 2 * np.sum(share * variance) / variance.sum() + np.sum(share**2)
    return 1 / max(float(left), 0.5)


def _correction(units: Float64[np.ndarray, " c"]) -> float:
    """Variance of a mean over classes of `units` independent units each, over the bootstrap's.

    Both for classes of equal accuracy, to the factor that they share: a class of N units adds 1/N;
    in a Poisson bootstrap it is there with probability P = 1 - exp(-N), adds the spread of its own
    resampled mean where it is there, and that of its coming and going.
    """
    present = 1 - np.exp(-units)
    resampled = present * (1 - 1 / units) * _mean_inverse(units) + present * (1 - present) / units
    return float(np.mean(1 / units) / len(units) / (resampled.sum() / present.sum() ** 2))


def _mean_inverse(units: Float64[np.ndarray, " c"]) -> Float64[np.ndarray, " c"]:
    # E[1/M] of M ~ Poisson(N) given M > 0 is (Ei(N) - ln N - gamma) / (exp(N) - 1).
    few = np.minimum(units, 50)
    exact = (special.expi(few) - np.log(few) - np.euler_gamma) / np.expm1(few)
    return np.where(units < 50, exact, 1 / units + 1 / units**2 + 2 / units**3)


def _intraclass_correlation(coded: Coded, right: Float64[np.ndarray, " n"], truth: _Truth) -> float:
    """How alike the answers within a unit are, 0 to 1 (the analysis of variance's estimate)."""
    if coded.n_units == coded.n:
        return 0.0
    mean = np.bincount(truth.label, right) / truth.n
    rest = right - mean[truth.label]
    n = truth.per_unit
    total = np.bincount(coded.unit, rest)
    free = coded.n - coded.n_units
    if coded.n_units == 1 or free == 0 or not rest.any():
        return 1.0
    between = np.sum((total - n * rest.mean()) ** 2 / n) / (coded.n_units - 1)
    within = (np.sum(rest**2) - np.sum(total**2 / n)) / free
    typical = (coded.n - np.sum(n**2) / coded.n) / (coded.n_units - 1)
    return float(np.clip((between - within) / (between + (typical - 1) * within), 0, 1))

"""Where a model is good and where it is not: the score by class, by rarity, by any column.

breakdown(predictions, get_metric("macro-f1"), "class")
breakdown(predictions, get_metric("macro-f1"), "rarity")     # training examples, in decades
breakdown(predictions, get_metric("macro-f1"), "location")   # any column of the predictions
breakdown(predictions, get_metric("macro-f1"), "date:year")  # and ranges (`biobench.stats.binning`)
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from biobench.metrics import LABEL_COUNTS, Counts, Metric, WeightedMetric
from biobench.stats.binning import find_bins
from biobench.stats.coded import Coded, code_models, from_table
from biobench.stats.intervals import check_labels, check_options
from biobench.stats.jackknife import variance_over_groups
from biobench.stats.resample import Resampler
from biobench.stats.seeds import Replicated, align_seeds
from biobench.stats.spread import design_of, interval

__all__ = ["breakdown"]

_SCHEMA = {
    "value": pl.String,
    "score": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "n": pl.Int64,
    "n_groups": pl.Int64,
}


def breakdown(
    predictions: pl.DataFrame,
    metric: Metric,
    by: str,
    *,
    by_group: bool = True,
    confidence: float = 95,
    n_resamples: int = 500,
    seed: int = 42,
) -> pl.DataFrame:
    """Score, interval and count of each part of the predictions: columns value score ci_low
    ci_high n n_groups, in the order of the values.

    Of several training draws in one table (`seeds.join_seeds`) scores are means over the draws.
    by: see `biobench.stats.binning`. Where each class lies in one part only, a macro average is
        taken over the part's classes with every wrong guess of them counted, wherever it was made;
        else the part is scored as a test set of its own.
    Raises BadInput on an unknown column, or one that cannot be cut so.
    """
    check_options(confidence, n_resamples)
    tables = align_seeds(predictions)
    models = code_models(tables, by_group=by_group, metric=metric)
    check_labels(models[0], metric)
    bins = find_bins(_average_counts(tables) if by == "rarity" else tables[0], by)
    parts, texts = bins.codes, bins.texts
    if isinstance(metric, WeightedMetric):
        alone = _Alone(tables, metric, by_group, n_resamples, seed, confidence)
        rows = [alone.row(by, text, parts == i) for i, text in enumerate(texts)]
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    of_class = _part_of_class(models[0], parts) if metric.macro else None
    if of_class is None:
        found = [
            Replicated.resample([_take(m, parts == i) for m in models], metric, n_resamples, seed)
            for i in range(len(texts))
        ]
    else:
        found = _score_classes(models, parts, of_class, metric, n_resamples, seed)
    rows = []
    for text, one in zip(texts, found, strict=True):
        low, high = interval(one.score, one.crossed.spread(confidence), confidence)
        rows.append((text, one.score, low, high, one.models[0].n, one.models[0].n_units))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


@dataclasses.dataclass(frozen=True)
class _Alone:
    """Scores parts by a weighted metric, which reads the rows themselves."""

    tables: Sequence[pl.DataFrame]
    """of each training draw."""
    metric: WeightedMetric
    by_group: bool
    n_resamples: int
    seed: int
    confidence: float

    def row(self, by: str, text: str, mask: Bool[np.ndarray, " n"]) -> tuple:
        """The score of a part with its interval, null where it has none, and its counts."""
        parts = [table.filter(mask) for table in self.tables]
        own = from_table(parts[0], by_group=self.by_group)
        metric = self.metric
        if by == "class" and (one := metric.of_class(text)) is not None:
            # One class against the rest, which needs the rest.
            metric, parts = one, self.tables
        models = code_models(parts, by_group=self.by_group, metric=metric)
        if not np.isfinite(Resampler(models).scores(metric)).all():
            return text, None, None, None, own.n, own.n_units
        found = Replicated.resample(models, metric, self.n_resamples, self.seed)
        spread = found.crossed.spread(self.confidence)
        ends = interval(found.score, spread, self.confidence)
        return text, found.score, *ends, own.n, own.n_units


def _average_counts(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    # Where n_train counts over all classes, every draw has other counts of them.
    if len(tables) == 1:
        return tables[0]
    counts = pl.DataFrame({str(i): one["train_count"] for i, one in enumerate(tables)})
    mean = counts.mean_horizontal().round().cast(pl.Int64)
    return tables[0].with_columns(train_count=mean)


def _score_classes(
    models: Sequence[Coded],
    parts: Int64[np.ndarray, " n"],
    of_class: Int64[np.ndarray, " c"],
    metric: Metric,
    n_resamples: int,
    seed: int,
) -> list[Replicated]:
    resampler = Resampler(models)
    once = resampler.size[:, None].astype(np.float32)
    whole = resampler.counts(models, metric.fields, once)
    drawn = resampler.counts(models, metric.fields, resampler.draw(n_resamples, seed))
    found = []
    for i in range(parts.max() + 1):
        classes = of_class == i
        scores = [metric.from_counts(_restrict(one, classes))[0] for one in whole]
        replicates = np.tile(np.array(scores)[:, None], n_resamples)
        for one, values in zip(drawn, replicates, strict=True):
            counts = _restrict(one, classes)
            # A resample without any example of the part says nothing of it.
            assert counts.n_true is not None
            present = counts.n_true.sum(axis=0) > 0
            if present.any():
                values[present] = metric.from_counts(_restrict(counts, slice(None), present))
        part = [_take(model, parts == i) for model in models]
        designs = [design_of(model, metric) for model in part]
        if designs[0].variance is not None:
            # Of wrong guesses made in other parts, too.
            designs = [
                dataclasses.replace(one, variance=variance_over_groups(model, metric, classes))
                for one, model in zip(designs, models, strict=True)
            ]
        found.append(Replicated.of(part, metric, np.array(scores), replicates, designs))
    return found


def _restrict(
    counts: Counts, classes: np.ndarray | slice, resamples: np.ndarray | slice = slice(None)
) -> Counts:
    fields = {
        name: None if (value := getattr(counts, name)) is None else value[classes][:, resamples]
        for name in LABEL_COUNTS
    }
    return Counts(counts.n[resamples], **fields)


def _take(coded: Coded, mask: np.ndarray) -> Coded:
    _, unit = np.unique(coded.unit[mask], return_inverse=True)
    true = pred = None
    n_classes = 0
    if coded.true is not None:
        present, true = np.unique(coded.true[mask], return_inverse=True)
        n_classes = len(present)
        lookup = np.full(coded.n_classes + 1, -1)
        lookup[present] = np.arange(n_classes)
        assert coded.pred is not None
        pred = lookup[coded.pred[mask]]
    return Coded(coded.score[mask], true, pred, n_classes, unit, int(unit.max()) + 1, coded.grouped)


def _part_of_class(coded: Coded, parts: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " c"] | None:
    assert coded.true is not None
    low = np.full(coded.n_classes, parts.max() + 1)
    high = np.full(coded.n_classes, -1)
    np.minimum.at(low, coded.true, parts)
    np.maximum.at(high, coded.true, parts)
    return low if np.array_equal(low, high) else None

"""Codes of labels are the same however a table stores them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.errors import BadInput
from biobench.stats.coded import code_models

LABELS = st.lists(st.sampled_from(["fox", "hare", "lynx", "otter"]), min_size=1, max_size=20)


def make_table(truth, predicted, kind):
    names = [f"e{i}" for i in range(len(truth))]
    table = pl.DataFrame({"example": names, "y_true": truth, "score": [0.5] * len(truth)})
    pred = pl.Series(predicted, dtype=pl.String)
    # Categories that nothing is, and in another order than the classes appear in.
    every = pl.Enum(["wolf", "otter", "lynx", "hare", "fox"])
    return table.with_columns(y_pred=pred if kind == "text" else pred.cast(every))


@given(LABELS, st.data())
@settings(deadline=None)
def test_predictions_of_known_categories_are_coded_as_texts_are(truth, data):
    size = {"min_size": len(truth), "max_size": len(truth)}
    answers = st.lists(st.none() | st.sampled_from(["fox", "wolf", "otter"]), **size)
    several = data.draw(st.lists(answers, min_size=1, max_size=3))
    text, coded = (
        code_models([make_table(truth, one, kind) for one in several], by_group=False)
        for kind in ("text", "categories")
    )
    for a, b in zip(text, coded, strict=True):
        assert np.array_equal(a.true, b.true) and np.array_equal(a.pred, b.pred)
        assert b.pred.dtype == np.int64


@pytest.mark.parametrize("kind", ["text", "categories"])
def test_models_that_disagree_on_a_truth_are_refused_with_the_example(kind):
    tables = [make_table(["fox", other], ["fox", "fox"], kind) for other in ("hare", "lynx")]
    with pytest.raises(BadInput, match=r"truth of the example 'e1' \('hare' and 'lynx'\)"):
        code_models(tables, by_group=False)

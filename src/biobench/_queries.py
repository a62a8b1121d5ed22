"""What retrieval finds of each example among the others, as columns of the predictions."""

import numpy as np
import polars as pl
from jaxtyping import Float

from biobench import probes

__all__ = ["add_retrieval"]


def add_retrieval(
    predictions: pl.DataFrame, x: Float[np.ndarray, "n dim"], apart: str
) -> pl.DataFrame:
    """With `recall_at_1` and `average_precision` of each row, null where nothing is to be found.

    x: the rows' vectors. apart: a column; the same once more, with `_apart` behind the names,
        without others that share its value (a row without one shares it with none).
    """
    labels = predictions["label"].to_numpy().astype(str)
    columns = _name(probes.rank_others(x, labels), "")
    if apart:
        codes = predictions[apart].cast(pl.String).rank("dense").cast(pl.Int64)
        alone = -1 - pl.Series(np.arange(predictions.height))
        codes = pl.select(pl.coalesce(codes, alone)).to_series().to_numpy()
        columns |= _name(probes.rank_others(x, labels, codes), "_apart")
    return predictions.with_columns(**columns)


def _name(found: "probes.Retrieved", suffix: str) -> dict[str, pl.Series]:
    values = {"recall_at_1": found.recall_at_1, "average_precision": found.average_precision}
    return {
        f"{name}{suffix}": pl.Series(column, dtype=pl.Float64).fill_nan(None)
        for name, column in values.items()
    }
